//! API keys, client identifiers, certificates, SFTP users, address restrictions.
//!
//! Fields as in sheet 06 §1 and RULINGS "Objects"; limits from sheet 01 §2.3.

use super::{Kind, Row, list_rows, under};

crate::shapes! {
    /// Body of POST `…/credentials/api-key` and `…/credentials/sftp`.
    credential_create = [description()], &[];
    /// Body of PATCH `…/credentials/{sort}/{credential_id}`.
    credential_update = [description().required()], &[];
    /// An API key; `secret` only when it is made.
    api_key = api_key_rows(), &[];
    /// The API keys of an account.
    api_keys = list_rows("credentials", api_key_rows(), false), &[];

    /// Body of POST `…/credentials/client-identifier`.
    client_identifier_create = [vec![description()], allowed_domains_rows()].concat(), &[];
    /// Body of PATCH `…/credentials/client-identifier/{credential_id}`.
    client_identifier_update = [vec![description()], allowed_domains_rows()].concat(), &[];
    /// A client identifier.
    client_identifier = client_identifier_rows(), &[];
    /// The client identifiers of an account.
    client_identifiers = list_rows("credentials", client_identifier_rows(), false), &[];

    /// An SFTP user; `secret` only when it is made.
    sftp_user = sftp_user_rows(), &[];
    /// The SFTP users of an account.
    sftp_users = list_rows("credentials", sftp_user_rows(), false), &[];

    /// Body of POST `…/credentials/client-certificate`.
    client_certificate_create = [
        description(),
        Row::new("config", Kind::Object).required(),
        Row::new("config.usage", Kind::OneOf(USAGES)).required(),
        Row::new("config.certificate_signing_request", CERTIFICATE_TEXT).required(),
    ], &[];
    /// Body of POST `…/client-certificate/{credential_id}/revoke`.
    certificate_revoke = [moment_or_now("revoked_from").required()], &[];
    /// A client certificate.
    client_certificate = client_certificate_rows(), &[];
    /// The client certificates of an account.
    client_certificates = list_rows("credentials", client_certificate_rows(), false), &[];

    /// Body of PUT `…/client-certificates/enforcement`.
    enforcement = [moment_or_now("enforced_from").required()], &[];
    /// Whether callers must show a client certificate.
    enforcement_status = [mode().required(), Row::new("enforced_from", Kind::Timestamp)], &[];
    /// Body of PUT `…/ip-restrictions/allowed-ips`.
    allowed_ips_replace = allowed_ips_rows(true), &[];
    /// Body of PATCH `…/inbound-restriction/ip`.
    allowed_ips_change = allowed_ips_rows(false), &[];
    /// A link that shows a new API key once.
    bootstrap_link = [
        Row::new("url", super::WEB_URL).required(),
        Row::new("expires_at", Kind::Timestamp).required(),
    ], &[];
    /// From which addresses an account may be called.
    allowed_ips = allowed_ips_answer_rows(), &[];
}

/// Entries of `config.allowed_domains`. Ours: no limit is published.
const ALLOWED_DOMAINS_MAX: usize = 100;

/// `^[a-zA-Z0-9\-:;., _]{0,100}$`.
fn description() -> Row {
    let accepts = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b':' | b';' | b'.' | b',' | b' ' | b'_'))
    };
    let wanted = "a text of at most 100 characters of A-Z, a-z, 0-9, space and - : ; . , _";
    Row::new("description", Kind::Matching { min: 0, max: 100, accepts, wanted })
}

fn allowed_domains_rows() -> Vec<Row> {
    let wanted = "a domain like shop.example or *.shop.example, or an origin like https://shop.example:8443";
    vec![
        Row::new("config.allowed_domains", Kind::Array { min: 0, max: ALLOWED_DOMAINS_MAX }),
        Row::new("config.allowed_domains[]", Kind::Matching { min: 1, max: 300, accepts: is_allowed_domain, wanted }),
        Row::new("config.redirect_uris", Kind::Array { min: 0, max: ALLOWED_DOMAINS_MAX }),
        Row::new("config.redirect_uris[]", REDIRECT_URI),
    ]
}

/// Ours: where Sign in with Klarna may answer is told in Klarna's portal.
const REDIRECT_URI: Kind = Kind::Matching {
    min: 1,
    max: 2_048,
    accepts: is_redirect_uri,
    wanted: "an absolute address without a fragment, like https://shop.example/back or shopapp://back",
};

/// An address of the web, or of an app's own scheme.
pub fn is_redirect_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let runs = ["javascript", "data", "vbscript"].iter().any(|runs| scheme.eq_ignore_ascii_case(runs));
    is_scheme
        && !runs
        && !rest.is_empty()
        && !text.contains(['#', '\\'])
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A host name, with or without `*.` before it, or an origin of such a host.
pub fn is_allowed_domain(text: &str) -> bool {
    let host = match text.split_once("://") {
        Some(("https" | "http", rest)) => match rest.split_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => host,
            Some(_) => return false,
            None => rest,
        },
        Some(_) => return false,
        None => text,
    };
    let labels = host.strip_prefix("*.").unwrap_or(host);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    labels.split('.').all(is_label)
}

const USAGES: &[&str] = &["MTLS", "JWT_SIGNING"];
/// PEM has line ends. Ours: room for every key and extension that anybody would put into one.
const CERTIFICATE_TEXT: Kind = Kind::Blob { min: 1, max: 16_384 };
/// Ranges of addresses in a list (sheet 01 §2.5).
const ALLOWED_IPS_MAX: usize = 100;

fn moment_or_now(path: &str) -> Row {
    let accepts = |text: &str| text == "NOW" || text.parse::<crate::time::Timestamp>().is_ok();
    Row::new(
        path,
        Kind::Matching { min: 1, max: 64, accepts, wanted: "NOW or a time with a zone, like 2026-02-01T10:00:00Z" },
    )
}

fn mode() -> Row {
    Row::new("enforcement_mode", Kind::OneOf(&["NOT_ENABLED", "REPORTING", "ENFORCED"]))
}

fn allowed_ips_rows(required: bool) -> Vec<Row> {
    let list = Row::new("allowed_ips", Kind::Array { min: 0, max: ALLOWED_IPS_MAX });
    let wanted = "a range of IPv4 or IPv6 addresses like 203.0.113.0/24, or one address";
    vec![
        mode(),
        if required { list.required() } else { list },
        Row::new("allowed_ips[]", Kind::Matching { min: 1, max: 64, accepts: is_address_range, wanted }),
    ]
}

fn allowed_ips_answer_rows() -> Vec<Row> {
    let mut rows = allowed_ips_rows(true);
    rows[0] = mode().required();
    rows
}

fn is_address_range(text: &str) -> bool {
    let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let longest = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    let is_number = |prefix: &str| !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    prefix.is_none_or(|prefix| is_number(prefix) && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= longest))
}

fn client_certificate_rows() -> Vec<Row> {
    let mut rows = credential_rows(&["ACTIVE", "REVOKED", "EXPIRED"]);
    rows.extend([
        Row::new("config", Kind::Object).required(),
        Row::new("config.usage", Kind::OneOf(USAGES)).required(),
        Row::new("certificate", CERTIFICATE_TEXT).required(),
        Row::new("certificate_chain", CERTIFICATE_TEXT).required(),
        Row::new("valid_from", Kind::Timestamp).required(),
        Row::new("valid_to", Kind::Timestamp).required(),
        Row::new("revoked_from", Kind::Timestamp),
    ]);
    rows
}

/// What all credentials have.
pub(super) fn credential_rows(states: &'static [&'static str]) -> Vec<Row> {
    vec![
        Row::new("credential_id", Kind::Id(crate::krn::KrnKind::Credential)).required(),
        description().required(),
        Row::new("state", Kind::OneOf(states)).required(),
        Row::new("created_at", Kind::Timestamp).required(),
        Row::new("updated_at", Kind::Timestamp).required(),
    ]
}

const STATES: &[&str] = &["ACTIVE", "DISABLED"];

fn secret(rows: &mut Vec<Row>) {
    rows.extend(under("secret", [Row::new("secret", Kind::Text { min: 1, max: 512 }).required()]));
}

fn api_key_rows() -> Vec<Row> {
    let mut rows = credential_rows(STATES);
    rows.push(Row::new("last_used_at", Kind::Timestamp));
    secret(&mut rows);
    rows
}

fn client_identifier_rows() -> Vec<Row> {
    let mut rows = credential_rows(STATES);
    rows.extend([
        Row::new("identity", Kind::Object).required(),
        Row::new("identity.client_id", Kind::Text { min: 1, max: 512 }).required(),
        Row::new("config", Kind::Object).required(),
    ]);
    rows.extend(allowed_domains_rows());
    rows
}

fn sftp_user_rows() -> Vec<Row> {
    let mut rows = credential_rows(STATES);
    rows.extend([
        Row::new("last_used_at", Kind::Timestamp),
        Row::new("identity", Kind::Object).required(),
        Row::new("identity.username", Kind::Text { min: 1, max: 64 }).required(),
    ]);
    secret(&mut rows);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_and_origins_pass_and_paths_do_not() {
        for good in ["shop.example", "localhost", "*.shop.example", "https://shop.example", "http://localhost:4000"] {
            assert!(is_allowed_domain(good), "{good}");
        }
        for bad in ["", "*", "shop.example/pay", "ftp://shop.example", "https://shop.example:x", "-a.example", "a..b"] {
            assert!(!is_allowed_domain(bad), "{bad}");
        }
    }
}
