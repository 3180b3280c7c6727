//! A file that is replaced as a whole: on a disk that is full, or if the program ends meanwhile,
//! what was there before is there still.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes a text beside the file and puts it in its place; what is no file, as a terminal or a
/// pipe, is written to.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|it| !it.is_file()) {
        return fs::write(path, text);
    }
    // Where a link leads to, if it is one.
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = beside(&place);
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, &place));
    if written.is_err() {
        // What is left of it is of no use; the error that counts is the first.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Where the new text of a file is written to.
fn beside(place: &Path) -> PathBuf {
    let mut name = OsString::from(place);
    name.push(".new");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("document.md");
        replace(&place, "old").expect("there is room");
        // Something is in the way of the new text.
        fs::create_dir(beside(&place)).expect("a folder");
        assert!(replace(&place, "new").is_err());
        assert_eq!(fs::read_to_string(&place).expect("it is there"), "old");
        fs::remove_dir(beside(&place)).expect("it is empty");
        replace(&place, "new").expect("nothing is in the way");
        assert_eq!(fs::read_to_string(&place).expect("it is there"), "new");
        let names = fs::read_dir(folder.path()).expect("it is there");
        assert_eq!(names.count(), 1, "nothing is left beside it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_a_device_is_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let (place, link) = (folder.path().join("place"), folder.path().join("link"));
        fs::write(&place, "old").expect("there is room");
        std::os::unix::fs::symlink(&place, &link).expect("a link");
        replace(&link, "new").expect("there is room");
        assert_eq!(fs::read_to_string(&place).expect("it is there"), "new");
        assert!(link.is_symlink());
        replace(Path::new("/dev/null"), "text").expect("it takes everything");
        assert!(!Path::new("/dev/null").is_file());
    }
}
