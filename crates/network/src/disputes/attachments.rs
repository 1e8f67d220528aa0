//! Files of disputes: what can be uploaded (sheet 05 §3.3), and giving it back as it came.

use axum::body::{Body, Bytes};
use axum::extract::Multipart;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::response::Response;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use kit::db::{Tx, UnitFuture};
use kit::http::{ApiError, FieldFault};
use protocol::{DisputeAttachmentId, PartnerAccountId};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::store::{self, ContentRow, NewAttachment};
use super::stored::StoredDispute;
use crate::ctx::Ctx;
use crate::operation::{Reply, conflict, not_found};
use crate::sealed::DISPUTE_ATTACHMENT;

/// The largest file.
const FILE_BYTES_MAX: usize = 7 * 1024 * 1024;
/// The largest body of an upload: the file and what is around it.
pub const UPLOAD_BYTES_MAX: usize = FILE_BYTES_MAX + 64 * 1024;
/// Longest name of a file, without its extension.
const NAME_LENGTH_MAX: usize = 1000;
/// Most files of a dispute. Ours.
const FILES_MAX: i64 = 100;
/// Most evidences of the customer.
const CUSTOMER_FILES_MAX: usize = 2;

/// What a file can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileType {
    Pdf,
    Jpeg,
    Png,
    Docx,
}

impl FileType {
    fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "pdf" => Some(Self::Pdf),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "docx" => Some(Self::Docx),
            _ => None,
        }
    }

    /// What the first bytes of such a file are; a DOCX is a ZIP archive.
    fn beginning(self) -> &'static [u8] {
        match self {
            Self::Pdf => b"%PDF-",
            Self::Jpeg => b"\xff\xd8\xff",
            Self::Png => b"\x89PNG\r\n\x1a\n",
            Self::Docx => b"PK\x03\x04",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        }
    }
}

/// A file as it was uploaded, found to be one that can be.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    name: String,
    media_type: &'static str,
    bytes: Bytes,
    description: Option<String>,
}

/// What a form of an upload holds.
#[derive(Debug, Default)]
struct Form {
    /// The file's own name, and its content.
    file: Option<(Option<String>, Bytes)>,
    filename: Option<String>,
    description: Option<String>,
}

impl Upload {
    /// Reads the form: `file`, and perhaps `filename` (and, of the customer's evidence, `description`).
    ///
    /// # Errors
    /// 400 `INVALID_CONTENT_TYPE` for what is no form, 400 `VALIDATION_ERROR` naming every faulty part.
    pub(super) async fn read(multipart: Result<Multipart, MultipartRejection>) -> Result<Self, ApiError> {
        let broken =
            || ApiError::new(StatusCode::BAD_REQUEST, "INVALID_CONTENT_TYPE", "The body must be multipart/form-data.");
        let mut multipart = multipart.map_err(|_| broken())?;
        let mut form = Form::default();
        let refused = |error: MultipartError| broken().with_source(error);
        while let Some(field) = multipart.next_field().await.map_err(refused)? {
            match field.name() {
                Some("file") => {
                    let name = field.file_name().map(str::to_owned);
                    form.file = Some((name, field.bytes().await.map_err(refused)?));
                }
                Some("filename") => form.filename = Some(field.text().await.map_err(refused)?),
                Some("description") => form.description = Some(field.text().await.map_err(refused)?),
                _ => {}
            }
        }
        form.check()
    }

    /// For idempotency: what makes two uploads the same.
    pub(super) fn fingerprint(&self) -> Value {
        json!({"name": self.name, "description": self.description, "sha256": hex::encode(Sha256::digest(&self.bytes))})
    }
}

impl Form {
    fn check(self) -> Result<Upload, ApiError> {
        let mut faults = Vec::new();
        let filename = self.filename.filter(|name| !name.is_empty());
        let (own_name, bytes) = self.file.unwrap_or_default();
        if bytes.is_empty() {
            faults.push(FieldFault::new("file", "is required, and must not be empty"));
        } else if bytes.len() > FILE_BYTES_MAX {
            faults.push(FieldFault::new("file", "must not be larger than 7 MB"));
        }
        let own_extension = own_name.as_deref().and_then(extension);
        let type_of_name = own_extension.or_else(|| filename.as_deref().and_then(extension));
        let found = type_of_name.and_then(FileType::of_extension);
        let found = found.filter(|kind| bytes.starts_with(kind.beginning()));
        if !bytes.is_empty() && found.is_none() {
            let reason = "must be a PDF, JPEG, PNG or DOCX file, with such a name";
            faults.push(FieldFault::new("file", reason));
        }
        let (name, name_extension) = split(filename.as_deref().or(own_name.as_deref()).unwrap_or_default());
        let parameter = if filename.is_some() { "filename" } else { "file" };
        let length = name.chars().count();
        if !bytes.is_empty() && (length == 0 || length > NAME_LENGTH_MAX || name.chars().any(char::is_control)) {
            let reason = format!("must have a name of 1 to {NAME_LENGTH_MAX} characters without its extension");
            faults.push(FieldFault::new(parameter, reason));
        }
        let same = |one: &str, other: &str| FileType::of_extension(one) == FileType::of_extension(other);
        if let (Some(wanted), Some(own)) = (name_extension, own_extension)
            && filename.is_some()
            && FileType::of_extension(wanted).is_some()
            && !same(wanted, own)
        {
            faults.push(FieldFault::new("filename", "must have the extension of the file, or none"));
        }
        match (found, type_of_name) {
            (Some(kind), Some(extension)) if faults.is_empty() => Ok(Upload {
                name: format!("{name}.{extension}"),
                media_type: kind.media_type(),
                bytes,
                description: self.description.filter(|text| !text.is_empty()),
            }),
            _ => Err(ApiError::validation(faults)),
        }
    }
}

/// What follows the last point, if something stands before it.
fn extension(name: &str) -> Option<&str> {
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension)
}

/// A name without its extension, if that is one of a type that can be uploaded.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if FileType::of_extension(extension).is_some() => (stem, Some(extension)),
        _ => (name, None),
    }
}

/// Stores a file. Returns its id.
pub(super) async fn store(
    tx: &mut Tx,
    ctx: &Ctx,
    account: &PartnerAccountId,
    id: &str,
    upload: &Upload,
    of_customer: bool,
) -> Result<Reply, ApiError> {
    let mut stored = StoredDispute::lock(tx, ctx, account.as_str(), id).await?;
    let now = ctx.clock.now();
    let (case, happened) = stored.case.at(now);
    if of_customer {
        let known = stored.attachments.iter().filter(|row| row.of_customer).count();
        if known >= CUSTOMER_FILES_MAX {
            return Err(conflict("The dispute has all the evidence that a customer can give."));
        }
    } else {
        case.require_open_for_files()?;
    }
    if stored.row.attachments >= FILES_MAX {
        return Err(conflict("The dispute has as many files as one can have."));
    }
    stored.row.attachments += 1;
    let number = stored.row.attachments;
    let attachment =
        DisputeAttachmentId::new(&stored.id, u32::try_from(number).map_err(ApiError::internal)?).to_string();
    let sealed = ctx.secrets.seal(DISPUTE_ATTACHMENT.place(&[&attachment]), &upload.bytes);
    let new = NewAttachment {
        account: stored.account.as_str(),
        dispute: stored.id.as_str(),
        attachment_id: &attachment,
        number,
        of_customer,
        file_name: &upload.name,
        mime_type: upload.media_type,
        description: upload.description.as_deref(),
        size: i64::try_from(upload.bytes.len()).map_err(ApiError::internal)?,
        sealed: &sealed,
    };
    store::insert_attachment(tx, &new, now).await?;
    stored.file.note(&happened, None, None);
    stored.settle(tx, ctx, (case, happened), None).await?;
    Ok(Reply::json(StatusCode::CREATED, &json!({"payment_dispute_attachment_id": attachment})))
}

/// A file of either side, as it came.
pub(super) async fn download(
    ctx: &Ctx,
    account: &PartnerAccountId,
    id: &str,
    attachment: &str,
) -> Result<Response, ApiError> {
    let (context, account) = (ctx.clone(), account.clone());
    let (dispute, file) = (id.to_owned(), attachment.to_owned());
    let ContentRow { file_name, mime_type, content } = ctx
        .db
        .read(move |tx| -> UnitFuture<'_, Result<_, ApiError>> {
            Box::pin(async move {
                let stored = StoredDispute::read(tx, &context, account.as_str(), &dispute).await?;
                let found = store::content(tx, stored.account.as_str(), &dispute, &file).await?;
                found.ok_or_else(|| not_found("The attachment does not exist."))
            })
        })
        .await?;
    let bytes = ctx.secrets.open(DISPUTE_ATTACHMENT.place(&[attachment]), &content).map_err(ApiError::internal)?;
    let mut response = Response::new(Body::from(bytes.to_vec()));
    let headers = response.headers_mut();
    let value = |text: String| HeaderValue::try_from(text).map_err(ApiError::internal);
    headers.insert(CONTENT_TYPE, value(mime_type)?);
    headers.insert(CONTENT_DISPOSITION, value(disposition(&file_name))?);
    // Somebody else's file: no browser should guess what it is.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// `attachment` with the name in ASCII, and whole in UTF-8 (RFC 6266).
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|sign| if sign.is_ascii_graphic() && !matches!(sign, '"' | '\\') || sign == ' ' { sign } else { '_' })
        .collect();
    let mut whole = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            whole.push(char::from(byte));
        } else {
            whole.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(own: &str, content: &[u8], filename: Option<&str>) -> Result<(String, &'static str), Vec<String>> {
        let form = Form {
            file: Some((Some(own.to_owned()), Bytes::copy_from_slice(content))),
            filename: filename.map(str::to_owned),
            description: None,
        };
        form.check()
            .map(|upload| (upload.name, upload.media_type))
            .map_err(|error| error.validation_errors.iter().map(|fault| fault.parameter.to_string()).collect())
    }

    #[test]
    fn a_file_is_one_of_four_kinds_by_name_and_content() {
        let docx = FileType::Docx.media_type();
        for (name, content, media_type) in [
            ("note.pdf", &b"%PDF-1.7 x"[..], "application/pdf"),
            ("photo.JPG", b"\xff\xd8\xff\xe0", "image/jpeg"),
            ("photo.jpeg", b"\xff\xd8\xff\xe0", "image/jpeg"),
            ("scan.v2.png", b"\x89PNG\r\n\x1a\n", "image/png"),
            ("letter.docx", b"PK\x03\x04", docx),
        ] {
            assert_eq!(checked(name, content, None), Ok((name.to_owned(), media_type)));
        }
        for (name, content) in [
            ("note.txt", &b"%PDF-"[..]),
            ("note.pdf", b"text"),
            ("pdf", b"%PDF-"),
            ("x.gif", b"GIF89a"),
            ("a.pdf", b""),
        ] {
            assert_eq!(checked(name, content, None), Err(vec!["file".to_owned()]), "{name}");
        }
    }

    #[test]
    fn a_name_beside_the_file_renames_it_and_keeps_its_kind() {
        assert_eq!(checked("a.pdf", b"%PDF-", Some("proof of delivery")).unwrap().0, "proof of delivery.pdf");
        assert_eq!(checked("a.pdf", b"%PDF-", Some("proof.pdf")).unwrap().0, "proof.pdf");
        assert_eq!(checked("blob", b"%PDF-", Some("proof.pdf")).unwrap().0, "proof.pdf");
        assert_eq!(checked("a.jpg", b"\xff\xd8\xff", Some("b.jpeg")).unwrap().0, "b.jpg");
        assert_eq!(checked("a.pdf", b"%PDF-", Some("v1.2")).unwrap().0, "v1.2.pdf");
        assert_eq!(checked("a.pdf", b"%PDF-", Some("a.png")), Err(vec!["filename".to_owned()]));
        let long = "x".repeat(NAME_LENGTH_MAX + 1);
        assert_eq!(checked("a.pdf", b"%PDF-", Some(&long)), Err(vec!["filename".to_owned()]));
        assert_eq!(checked("a.pdf", &vec![b'%'; FILE_BYTES_MAX + 1], None), Err(vec!["file".to_owned(); 2]));
    }

    #[test]
    fn a_download_names_its_file_for_everybody() {
        assert_eq!(disposition("a b.pdf"), "attachment; filename=\"a b.pdf\"; filename*=UTF-8''a%20b.pdf");
        assert_eq!(disposition("\"é.pdf"), "attachment; filename=\"__.pdf\"; filename*=UTF-8''%22%C3%A9.pdf");
    }
}
