//! The high-water mark: the last checkpoint, in a file outside the database. Whoever can rewrite
//! the database cannot take the log back behind it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The note in the file; nothing when there is no file.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the note: afterwards the new one is durable, and at no moment is there half a note.
pub fn write(path: &Path, note: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = File::create(&beside)?;
    file.write_all(note.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
