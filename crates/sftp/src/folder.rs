//! The file protocol over one folder, which is `/`. Nothing can be changed: who tries is told so.

use std::collections::HashMap;
use std::sync::Arc;

use russh_sftp::protocol::{
    Attrs, Data, File as Entry, FileAttributes, FileMode, Handle, Name, OpenFlags, Status, StatusCode, Version,
};
use russh_sftp::server::{Handler, StatusReply};

use crate::library::{Failure, File, Library};

/// Files and listings that one channel has open.
const OPEN_MAX: usize = 64;
/// Names that go out at once.
const PAGE: u32 = 100;
/// Bytes that go out at once; a client that asks for more asks again.
const READ_BYTES_MAX: u32 = 64 * 1024;

/// What a handle stands for.
enum Open {
    /// The listing, and the last name that was told; none are left when it has ended.
    Listing {
        after: String,
        ended: bool,
    },
    File {
        name: String,
    },
}

/// See the module.
pub(crate) struct Folder<L: Library> {
    library: Arc<L>,
    reader: Arc<L::Reader>,
    open: HashMap<String, Open>,
    handles: u64,
    greeted: bool,
}

impl<L: Library> Folder<L> {
    pub(crate) fn new(library: Arc<L>, reader: Arc<L::Reader>) -> Self {
        Self { library, reader, open: HashMap::new(), handles: 0, greeted: false }
    }

    fn keep(&mut self, id: u32, open: Open) -> Result<Handle, StatusReply> {
        if self.open.len() >= OPEN_MAX {
            return Err(StatusCode::Failure.with_message("Too many files are open."));
        }
        self.handles += 1;
        let handle = self.handles.to_string();
        self.open.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    async fn require_reader(&self) -> Result<(), StatusReply> {
        match self.library.may_read(&self.reader).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(StatusCode::PermissionDenied.with_message("This user may not read any more.")),
            Err(error) => Err(failed(&error)),
        }
    }

    async fn file(&self, path: &str) -> Result<File, StatusReply> {
        let name = match Place::of(path) {
            Place::Root => return Err(StatusCode::Failure.with_message("That is the folder.")),
            Place::Name(name) => name,
            Place::Nowhere => return Err(StatusCode::NoSuchFile.into()),
        };
        let found = self.library.find(&self.reader, &name).await.map_err(|error| failed(&error))?;
        found.ok_or_else(|| StatusCode::NoSuchFile.into())
    }

    async fn attributes(&self, path: &str) -> Result<FileAttributes, StatusReply> {
        if Place::of(path) == Place::Root {
            return Ok(folder_attributes());
        }
        Ok(file_attributes(&self.file(path).await?))
    }
}

/// Where a path leads.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// The folder.
    Root,
    /// Something in it.
    Name(String),
    /// Below something that is no folder.
    Nowhere,
}

impl Place {
    /// Relative paths begin at the folder, and above it is nothing.
    fn of(path: &str) -> Self {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        match parts[..] {
            [] => Self::Root,
            // No file is called so, and no store likes to be asked.
            [name] if !name.chars().any(char::is_control) => Self::Name(name.to_owned()),
            _ => Self::Nowhere,
        }
    }
}

fn failed(error: &Failure) -> StatusReply {
    tracing::warn!(error = &**error as &dyn std::error::Error, "reading for SFTP");
    StatusCode::Failure.into()
}

fn read_only() -> StatusReply {
    StatusCode::PermissionDenied.with_message("Files can be read here, and nothing else.")
}

fn done(id: u32) -> Status {
    Status { id, status_code: StatusCode::Ok, error_message: "Ok".to_owned(), language_tag: "en".to_owned() }
}

fn file_attributes(file: &File) -> FileAttributes {
    FileAttributes {
        size: Some(file.size),
        permissions: Some(FileMode::REG.bits() | 0o444),
        atime: Some(file.modified_at),
        mtime: Some(file.modified_at),
        ..FileAttributes::empty()
    }
}

fn folder_attributes() -> FileAttributes {
    FileAttributes { permissions: Some(FileMode::DIR.bits() | 0o555), ..FileAttributes::empty() }
}

impl<L: Library> Handler for Folder<L> {
    type Error = StatusReply;

    fn unimplemented(&self) -> StatusReply {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version, StatusReply> {
        if std::mem::replace(&mut self.greeted, true) {
            return Err(StatusCode::BadMessage.into());
        }
        Ok(Version::new())
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, StatusReply> {
        let clear = match Place::of(&path) {
            Place::Root => "/".to_owned(),
            Place::Name(name) => format!("/{name}"),
            Place::Nowhere => return Err(StatusCode::NoSuchFile.into()),
        };
        Ok(Name { id, files: vec![Entry::dummy(clear)] })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: self.attributes(&path).await? })
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, StatusReply> {
        Ok(Attrs { id, attrs: self.attributes(&path).await? })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, StatusReply> {
        let attrs = match self.open.get(&handle) {
            Some(Open::Listing { .. }) => folder_attributes(),
            Some(Open::File { name }) => file_attributes(&self.file(name).await?),
            None => return Err(no_handle()),
        };
        Ok(Attrs { id, attrs })
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, StatusReply> {
        self.require_reader().await?;
        if Place::of(&path) != Place::Root {
            return Err(StatusCode::NoSuchFile.into());
        }
        self.keep(id, Open::Listing { after: String::new(), ended: false })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, StatusReply> {
        let Some(Open::Listing { after, ended }) = self.open.get_mut(&handle) else { return Err(no_handle()) };
        if *ended {
            return Err(StatusCode::Eof.into());
        }
        let files = self.library.list(&self.reader, after, PAGE).await.map_err(|error| failed(&error))?;
        match files.last() {
            Some(last) => after.clone_from(&last.name),
            None => {
                *ended = true;
                return Err(StatusCode::Eof.into());
            }
        }
        let files = files.iter().map(|file| Entry::new(file.name.clone(), file_attributes(file))).collect();
        Ok(Name { id, files })
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle, StatusReply> {
        if flags.intersects(OpenFlags::all().difference(OpenFlags::READ)) {
            return Err(read_only());
        }
        self.require_reader().await?;
        let name = self.file(&path).await?.name;
        self.keep(id, Open::File { name })
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, length: u32) -> Result<Data, StatusReply> {
        let Some(Open::File { name }) = self.open.get(&handle) else { return Err(no_handle()) };
        let length = length.min(READ_BYTES_MAX);
        let data = self.library.read(&self.reader, name, offset, length).await.map_err(|error| failed(&error))?;
        if data.is_empty() { Err(StatusCode::Eof.into()) } else { Ok(Data { id, data }) }
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, StatusReply> {
        self.open.remove(&handle).map(|_| done(id)).ok_or_else(no_handle)
    }

    async fn write(&mut self, _: u32, _: String, _: u64, _: Vec<u8>) -> Result<Status, StatusReply> {
        Err(read_only())
    }

    async fn setstat(&mut self, _: u32, _: String, _: FileAttributes) -> Result<Status, StatusReply> {
        Err(read_only())
    }

    async fn fsetstat(&mut self, _: u32, _: String, _: FileAttributes) -> Result<Status, StatusReply> {
        Err(read_only())
    }

    async fn remove(&mut self, _: u32, _: String) -> Result<Status, StatusReply> {
        Err(read_only())
    }

    async fn mkdir(&mut self, _: u32, _: String, _: FileAttributes) -> Result<Status, StatusReply> {
        Err(read_only())
    }

    async fn rmdir(&mut self, _: u32, _: String) -> Result<Status, StatusReply> {
        Err(read_only())
    }

    async fn rename(&mut self, _: u32, _: String, _: String) -> Result<Status, StatusReply> {
        Err(read_only())
    }

    async fn symlink(&mut self, _: u32, _: String, _: String) -> Result<Status, StatusReply> {
        Err(read_only())
    }
}

fn no_handle() -> StatusReply {
    StatusCode::Failure.with_message("That is not open.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_into_the_one_folder_or_nowhere() {
        for root in ["", ".", "/", "./", "//", "..", "/../..", "/a/.."] {
            assert_eq!(Place::of(root), Place::Root, "{root}");
        }
        for name in ["a.csv", "/a.csv", "./a.csv", "/../a.csv", "/b/../a.csv", "a.csv/"] {
            assert_eq!(Place::of(name), Place::Name("a.csv".to_owned()), "{name}");
        }
        for nowhere in ["/a/b", "a/b/c", "/\u{0}", "a\nb"] {
            assert_eq!(Place::of(nowhere), Place::Nowhere, "{nowhere}");
        }
    }
}
