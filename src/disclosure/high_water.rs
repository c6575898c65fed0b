//! The high-water mark: the last checkpoint, in a file outside the database. Whoever can rewrite
//! the database cannot take the log back behind it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Whether a log of so many entries must have a mark. A process that died at its very first start may have left none.
pub fn expected(size: u64) -> bool {
    size > 2
}

/// The note in the file; nothing when there is no file.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Proves that the note can be replaced, and leaves it as it is: a log whose mark cannot be written must not begin,
/// for its first entries would be in the database and their mark nowhere.
pub fn prove(path: &Path) -> io::Result<()> {
    let (beside, folder) = (beside(path), folder(path));
    File::create(&beside)?.sync_all()?;
    std::fs::remove_file(&beside)?;
    File::open(folder)?.sync_all()
}

/// Replaces the note: afterwards the new one is durable, and at no moment is there half a note.
pub fn write(path: &Path, note: &str) -> io::Result<()> {
    let beside = beside(path);
    let mut file = File::create(&beside)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(folder(path))?.sync_all()
}

fn beside(path: &Path) -> OsString {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    beside
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
