//! Key files: made once, private, rotated without losing what was sealed.

use std::os::unix::fs::PermissionsExt;

use kit::sealed::{Form, Id};
use kit::secret_box::{Keyring, KeyringError, OpenError, Place, SecretBox};

kit::sealed_columns! {
    const SEALED;
    SECRET { table: "t", column: "c", key: ["id"], id: Id::First, form: Form::Bytes }
}

fn place() -> Place<'static> {
    assert_eq!(SEALED.len(), 1);
    SECRET.place(&["1"])
}

#[test]
fn a_generated_file_is_private_reads_back_and_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let sealed = SecretBox::new(Keyring::generate_file(&path).unwrap()).seal(place(), b"secret");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again = SecretBox::new(Keyring::from_file(&path).unwrap());
    assert_eq!(&**again.open(place(), &sealed).unwrap(), b"secret");
    assert!(matches!(Keyring::generate_file(&path), Err(KeyringError::File { .. })));
    assert_eq!(&**again.open(place(), &sealed).unwrap(), b"secret");
}

#[test]
fn a_rotated_file_seals_anew_and_opens_the_old_until_its_key_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let before = SecretBox::new(Keyring::generate_file(&path).unwrap());
    let sealed = before.seal(place(), b"secret");
    Keyring::rotate_file(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let after = SecretBox::new(Keyring::from_file(&path).unwrap());
    assert!(after.needs_rotation(&sealed));
    let resealed = after.reseal(place(), &sealed).unwrap();
    assert!(!after.needs_rotation(&resealed));

    let text = std::fs::read_to_string(&path).unwrap();
    let newest = text.lines().next().unwrap();
    let only_new = SecretBox::new(Keyring::from_env_text(newest).unwrap());
    assert_eq!(&**only_new.open(place(), &resealed).unwrap(), b"secret");
    assert!(matches!(only_new.open(place(), &sealed), Err(OpenError::UnknownKey { .. })));
}

#[test]
fn a_missing_file_is_named() {
    let error = Keyring::from_file(std::path::Path::new("/nonexistent/keys")).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/keys"));
}
