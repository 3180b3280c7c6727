//! Paths that name what is open already: `/dev/stdout`, `/dev/fd/3`, a link to one of these.
//!
//! Where such a thing is a file, that is not the program's to replace: others have written to it,
//! and are going to. And opening it anew would write over it from its beginning, whatever it was
//! opened for. So it is written through the descriptor itself, or not at all.

use std::fs;
use std::path::Path;

/// Links to links up to which one is followed: as far as systems do.
const LINKS_MAX: usize = 40;

/// A descriptor that a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// This program's standard output.
    Output,
    /// This program's standard error.
    Error,
    /// Any other, or another program's.
    Other,
}

impl Descriptor {
    /// The one that a path names, if it names one.
    pub fn of(path: &Path) -> Option<Self> {
        let mut path = path.to_owned();
        for _ in 0..LINKS_MAX {
            let name = path.file_name()?.to_owned();
            let folder = match path.parent() {
                Some(folder) if folder != Path::new("") => folder,
                _ => Path::new("."),
            };
            let folder = fs::canonicalize(folder).ok()?;
            if has_descriptors(&folder) {
                return Some(match name.to_str() {
                    Some("1") if is_own(&folder) => Self::Output,
                    Some("2") if is_own(&folder) => Self::Error,
                    _ => Self::Other,
                });
            }
            let link = fs::read_link(folder.join(name)).ok()?;
            path = folder.join(link);
        }
        None
    }
}

/// Whether names in a folder are numbers of descriptors.
fn has_descriptors(folder: &Path) -> bool {
    folder == Path::new("/dev/fd") || (folder.starts_with("/proc") && folder.ends_with("fd"))
}

/// Whether they are this program's.
fn is_own(folder: &Path) -> bool {
    let own = fs::canonicalize("/proc/self");
    folder == Path::new("/dev/fd") || own.is_ok_and(|own| folder.starts_with(own))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_has_many_names() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let linked = |name: &str, to: &str| {
            let link = folder.path().join(name);
            std::os::unix::fs::symlink(to, &link).expect("a writable folder");
            link
        };
        let link = linked("link", "/dev/stdout");
        let far = linked("far", "link");
        let round = linked("round", "round");
        let plain = linked("plain", "file");
        let thread = fs::canonicalize("/proc/thread-self/fd/").expect("it is there");
        let named = [
            (Path::new("/dev/stdout"), Some(Descriptor::Output)),
            (Path::new("/dev/fd/1"), Some(Descriptor::Output)),
            (Path::new("/proc/self/fd/../fd/1"), Some(Descriptor::Output)),
            (&thread.join("1"), Some(Descriptor::Output)),
            (&link, Some(Descriptor::Output)),
            (&far, Some(Descriptor::Output)),
            (Path::new("/dev/stderr"), Some(Descriptor::Error)),
            (Path::new("/dev/stdin"), Some(Descriptor::Other)),
            (Path::new("/dev/fd/33"), Some(Descriptor::Other)),
            (Path::new("/proc/1/fd/1"), Some(Descriptor::Other)),
            (Path::new("/dev/null"), None),
            (Path::new("/proc/self/fd"), None),
            (Path::new("/"), None),
            (Path::new("1"), None),
            (&plain, None),
            (&round, None),
        ];
        for (path, descriptor) in named {
            assert_eq!(Descriptor::of(path), descriptor, "{}", path.display());
        }
    }
}
