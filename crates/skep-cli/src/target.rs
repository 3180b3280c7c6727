//! A result's file: written beside its place, and put there when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::aside;
use crate::descriptor::Descriptor;
use crate::failure::Failure;
use crate::input::error::InputError;
use crate::interrupt::Interrupt;
use crate::unfinished::Unfinished;

/// Where a result goes. It is opened before the work is done, so that a wrong name is known then,
/// and takes the place of an older file only when it is complete.
pub struct Target {
    path: PathBuf,
    file: File,
    /// Whether the file is to be put at the path, and not there already: a pipe, a terminal and the
    /// null device cannot be renamed to.
    beside: bool,
    unfinished: Unfinished,
}

/// What a target is to be.
pub struct Wanted<'a> {
    /// Its path.
    pub path: &'a Path,
    /// How the command line names it.
    pub named: &'a str,
    /// What it must not be.
    pub inputs: &'a [&'a Path],
    /// Who may read it.
    pub readers: Readers,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug)]
pub enum Readers {
    /// Whoever may read new files of this process.
    Usual,
    /// Its owner alone: it has secrets.
    Owner,
}

/// Why a target was not written.
#[derive(Debug)]
pub enum Unwritten {
    /// It takes no more.
    Target(io::Error),
    /// What is to be written cannot be had.
    Source(InputError),
}

/// Why there can be no file of that name, in words.
fn unwritable(path: &Path, kind: io::ErrorKind) -> String {
    match kind {
        // As /proc says.
        io::ErrorKind::NotFound if path.parent().is_some_and(Path::is_dir) => {
            "its folder takes no new file".into()
        }
        io::ErrorKind::NotFound => "there is no such folder".into(),
        kind => format!("it cannot be written: {kind}"),
    }
}

impl Target {
    /// Opens a target, which is not left incomplete if the program is interrupted.
    pub fn open(wanted: &Wanted<'_>, interrupt: &Interrupt) -> Result<Self, InputError> {
        let path = wanted.path;
        let named = wanted.named;
        let fault = |what: &str| InputError::file(path, format!("{what}; name another {named}"));
        // The kind alone: the error of a temporary file names that file, which nobody asked for.
        let cannot = |error: io::Error| fault(&unwritable(path, error.kind()));
        let there = fs::metadata(path).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(fault("it is a folder"));
        }
        if there.is_none() && path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(fault("there is no such folder"));
        }
        // A link is followed, so that what it leads to is replaced and not the link.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut inputs = wanted.inputs.iter();
        if inputs.any(|input| fs::canonicalize(input).is_ok_and(|input| input == real)) {
            return Err(fault("it is the input"));
        }
        let is_link = || fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink());
        if there.is_none() && is_link() {
            return Err(fault("it is a link to nothing"));
        }
        let unfinished = interrupt.unfinished().clone();
        let descriptor = Descriptor::of(path);
        if let Some(file) = descriptor.and_then(standard) {
            return Ok(Self {
                path: path.to_owned(),
                file: file.map_err(cannot)?,
                beside: false,
                unfinished,
            });
        }
        match (descriptor, &there) {
            (Some(_), None) => return Err(fault("there is no such descriptor")),
            (Some(_), Some(there)) if there.is_file() => {
                return Err(fault(
                    "it is the descriptor of a file, that is not to be replaced; \
                     redirect standard output there, and name /dev/stdout, or name the file",
                ));
            }
            _ => {}
        }
        let beside = there.as_ref().is_none_or(fs::Metadata::is_file);
        let file = if beside {
            if there.is_some() {
                // A file that may not be written is not replaced, though its folder may be.
                OpenOptions::new()
                    .append(true)
                    .open(&real)
                    .map_err(cannot)?;
            }
            let folder = folder_of(&real);
            let file = unfinished.begin_beside(|| make(folder, wanted.readers));
            file.map_err(cannot)?
        } else {
            OpenOptions::new().write(true).open(path).map_err(cannot)?
        };
        Ok(Self {
            path: real,
            file,
            beside,
            unfinished,
        })
    }

    /// Writes by `run` and puts what it wrote in its place; nothing, if it fails.
    pub fn write<R>(
        self,
        run: impl FnOnce(&mut dyn Write) -> Result<R, Unwritten>,
    ) -> Result<R, Failure> {
        self.write_and(run, sync_folder)
    }

    /// The same, with what makes a file stay in its place.
    fn write_and<R>(
        self,
        run: impl FnOnce(&mut dyn Write) -> Result<R, Unwritten>,
        sync_folder: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<R, Failure> {
        let cannot = |error: io::Error| Failure::output(&self.path, &error);
        if !self.beside {
            self.unfinished.begin_in_place();
        }
        let mut file = BufWriter::new(&self.file);
        let written = run(&mut file).map_err(|why| why.failure(&self.path))?;
        file.flush().map_err(cannot)?;
        if self.beside {
            self.file.sync_all().map_err(cannot)?;
        }
        self.unfinished.complete(&self.path).map_err(cannot)?;
        if self.beside {
            // Else it may be gone, whole as it is, when the system has crashed.
            told(&self.path, sync_folder(&self.path))?;
        }
        Ok(written)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.unfinished.abandon();
    }
}

impl Unwritten {
    /// What it means for the program, of a target with this name.
    pub fn failure(self, target: &Path) -> Failure {
        match self {
            Self::Target(error) => Failure::output(target, &error),
            Self::Source(error) => error.into(),
        }
    }
}

/// Another handle of a descriptor that the program has by name. What is written by it goes behind
/// what others wrote by theirs.
fn standard(descriptor: Descriptor) -> Option<io::Result<File>> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let handle = match descriptor {
            Descriptor::Output => io::stdout().as_fd().try_clone_to_owned(),
            Descriptor::Error => io::stderr().as_fd().try_clone_to_owned(),
            Descriptor::Other => return None,
        };
        Some(handle.map(File::from))
    }
    #[cfg(not(unix))]
    {
        let _ = descriptor;
        None
    }
}

/// Has the system keep what was put into the folder of a file, also if it ends now.
fn sync_folder(place: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder_of(place))?.sync_all()?;
    #[cfg(not(unix))]
    let _ = place;
    Ok(())
}

/// Tells that a folder is not synced: a failure, but where that cannot be done at all.
fn told(place: &Path, synced: io::Result<()>) -> Result<(), Failure> {
    let Err(error) = synced else {
        return Ok(());
    };
    let unkept = InputError::file(
        place,
        format!("it is written, but its folder not synced, a crash may take it back: {error}"),
    );
    match error.kind() {
        // By a system that does not do it for folders, or of a folder that only takes files.
        io::ErrorKind::InvalidInput
        | io::ErrorKind::Unsupported
        | io::ErrorKind::PermissionDenied => {
            aside::tell(format_args!("warning: {unkept}"));
            Ok(())
        }
        _ => Err(Failure::Output(unkept)),
    }
}

/// The folder that a file is in.
fn folder_of(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A new file in the folder. Never, not even for a moment, may others read what is its owner's.
fn make(folder: &Path, readers: Readers) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".skep-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes from this what it takes from every new file.
        let mode = match readers {
            Readers::Usual => 0o666,
            Readers::Owner => 0o600,
        };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = readers;
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(path: &Path) -> Wanted<'_> {
        Wanted {
            path,
            named: "FILE",
            inputs: &[],
            readers: Readers::Usual,
        }
    }

    /// Writes it, and has its folder synced so.
    fn written(path: &Path, sync: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Failure> {
        let target = Target::open(&wanted(path), &Interrupt::default()).expect("it is writable");
        target.write_and(
            |out| out.write_all(b"whole").map_err(Unwritten::Target),
            sync,
        )
    }

    /// In this order: a folder that is synced before keeps nothing.
    #[test]
    fn a_folder_is_synced_when_the_file_is_in_it() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("file");
        let real = fs::canonicalize(folder.path()).expect("it is there");
        let mut synced = None;
        let sync = |place: &Path| {
            synced = Some((folder_of(place).to_owned(), fs::read(place)?));
            sync_folder(place)
        };
        assert!(written(&path, sync).is_ok());
        assert_eq!(synced, Some((real, b"whole".to_vec())));
        let failed = written(&path, |_| Err(io::ErrorKind::Other.into()));
        let Err(Failure::Output(told)) = failed else {
            panic!("{failed:?}");
        };
        let told = told.to_string();
        assert!(told.contains("it is written, but its folder"), "{told}");
        assert!(path.exists());
        let cannot = written(&path, |_| Err(io::ErrorKind::Unsupported.into()));
        assert!(cannot.is_ok(), "nothing has failed");
    }

    #[test]
    fn what_is_no_folder_is_not_synced() {
        assert!(sync_folder(Path::new("/no/such/folder/file")).is_err() || !cfg!(unix));
        assert!(sync_folder(Path::new("Cargo.toml")).is_ok());
    }

    /// What is no file has no folder to be synced.
    #[cfg(unix)]
    #[test]
    fn a_device_stays_without_its_folder() {
        let synced = written(Path::new("/dev/null"), |_| panic!("it is no file"));
        assert!(synced.is_ok());
    }
}
