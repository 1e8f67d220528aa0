//! `/v2/account/integration/…`: what the caller's own account is reached with. Partners have the same operations with their own key.

mod api_keys;
mod bootstrap_links;
mod certificates;
mod client_identifiers;
mod restrictions;
mod sftp_users;
mod sorts;

use http::Method;
use kit::http::ApiError;
use protocol::{Timestamp, shapes::credentials as shapes};
use serde::Deserialize;
use serde_json::Value;

use super::life::Life;
use super::store::{ApiKeyRow, ClientIdentifierRow, SftpUserRow};
use crate::operation::{Category, Doc, Route, Source, Who, conflict, not_found};

/// The operations of this room.
pub fn routes() -> Vec<Route> {
    use Source::{Collection, Documented, Inferred};
    vec![
        route(
            Method::POST,
            &["credentials/api-key"],
            Doc::new("createApiKey", "Makes an API key; its text is shown this once", Collection)
                .may_take(shapes::credential_create)
                .answers(201, shapes::api_key),
            api_keys::create,
        ),
        route(
            Method::GET,
            &["credentials/api-key"],
            Doc::new("listApiKeys", "Lists the API keys", Collection).answers(200, shapes::api_keys),
            sorts::list::<ApiKeyRow>,
        ),
        route(
            Method::GET,
            &["credentials/api-key/{credential_id}"],
            Doc::new("readApiKey", "Reads an API key, without its text", Collection).answers(200, shapes::api_key),
            sorts::read::<ApiKeyRow>,
        ),
        route(
            Method::PATCH,
            &["credentials/api-key/{credential_id}"],
            Doc::new("updateApiKey", "Changes the description of an API key", Collection)
                .takes(shapes::credential_update)
                .answers(200, shapes::api_key),
            api_keys::update,
        ),
        route(
            Method::DELETE,
            &["credentials/api-key/{credential_id}"],
            Doc::new("deleteApiKey", "Disables an API key for good", Collection).answers_nothing(),
            sorts::delete::<ApiKeyRow>,
        ),
        route(
            Method::POST,
            &["credentials/client-identifier"],
            Doc::new("createClientIdentifier", "Makes a client identifier for the Web SDK", Collection)
                .may_take(shapes::client_identifier_create)
                .answers(201, shapes::client_identifier),
            client_identifiers::create,
        ),
        route(
            Method::GET,
            &["credentials/client-identifier"],
            Doc::new("listClientIdentifiers", "Lists the client identifiers", Collection)
                .answers(200, shapes::client_identifiers),
            sorts::list::<ClientIdentifierRow>,
        ),
        route(
            Method::GET,
            &["credentials/client-identifier/{credential_id}"],
            Doc::new("readClientIdentifier", "Reads a client identifier", Collection)
                .answers(200, shapes::client_identifier),
            sorts::read::<ClientIdentifierRow>,
        ),
        route(
            Method::PATCH,
            &["credentials/client-identifier/{credential_id}"],
            Doc::new("updateClientIdentifier", "Changes a client identifier", Collection)
                .takes(shapes::client_identifier_update)
                .answers(200, shapes::client_identifier),
            client_identifiers::update,
        ),
        route(
            Method::DELETE,
            &["credentials/client-identifier/{credential_id}"],
            Doc::new("deleteClientIdentifier", "Disables a client identifier for good", Collection).answers_nothing(),
            sorts::delete::<ClientIdentifierRow>,
        ),
        route(
            Method::POST,
            &["credentials/sftp"],
            Doc::new("createSftpUser", "Makes an SFTP user; its password is shown this once", Collection)
                .may_take(shapes::credential_create)
                .answers(201, shapes::sftp_user),
            sftp_users::create,
        ),
        route(
            Method::GET,
            &["credentials/sftp"],
            Doc::new("listSftpUsers", "Lists the SFTP users", Collection).answers(200, shapes::sftp_users),
            sorts::list::<SftpUserRow>,
        ),
        route(
            Method::GET,
            &["credentials/sftp/{credential_id}"],
            Doc::new("readSftpUser", "Reads an SFTP user, without its password", Collection)
                .answers(200, shapes::sftp_user),
            sorts::read::<SftpUserRow>,
        ),
        route(
            Method::DELETE,
            &["credentials/sftp/{credential_id}"],
            Doc::new("deleteSftpUser", "Disables an SFTP user for good", Collection).answers_nothing(),
            sorts::delete::<SftpUserRow>,
        ),
        route(
            Method::POST,
            &["credentials/client-certificate"],
            Doc::new("createClientCertificate", "Issues a client certificate for a signing request", Collection)
                .takes(shapes::client_certificate_create)
                .answers(201, shapes::client_certificate),
            certificates::create,
        ),
        route(
            Method::GET,
            &["credentials/client-certificate"],
            Doc::new("listClientCertificates", "Lists the client certificates", Collection)
                .answers(200, shapes::client_certificates),
            certificates::list,
        ),
        route(
            Method::GET,
            &["credentials/client-certificate/{credential_id}"],
            Doc::new("readClientCertificate", "Reads a client certificate", Collection)
                .answers(200, shapes::client_certificate),
            certificates::read,
        ),
        route(
            Method::PATCH,
            &["credentials/client-certificate/{credential_id}"],
            Doc::new("updateClientCertificate", "Changes the description of a client certificate", Collection)
                .takes(shapes::credential_update)
                .answers(200, shapes::client_certificate),
            certificates::update,
        ),
        route(
            Method::POST,
            &["credentials/client-certificate/{credential_id}/revoke"],
            Doc::new("revokeClientCertificate", "Revokes a client certificate, now or from a later time", Collection)
                .takes(shapes::certificate_revoke)
                .answers(200, shapes::client_certificate),
            certificates::revoke,
        ),
        route(
            Method::GET,
            &["client-certificates/enforcement"],
            Doc::new("readCertificateEnforcement", "Tells whether callers must show a client certificate", Collection)
                .answers(200, shapes::enforcement_status),
            restrictions::read_enforcement,
        ),
        route(
            Method::PUT,
            &["client-certificates/enforcement"],
            Doc::new("enforceCertificates", "Refuses callers without a client certificate, now or later", Collection)
                .takes(shapes::enforcement)
                .answers_nothing(),
            restrictions::enforce,
        ),
        route(
            Method::DELETE,
            &["client-certificates/enforcement"],
            Doc::new("liftCertificateEnforcement", "Goes back to reporting what callers show", Collection)
                .answers_nothing(),
            restrictions::lift_enforcement,
        ),
        route(
            Method::GET,
            &["ip-restrictions/allowed-ips", "inbound-restriction/ip"],
            Doc::new("readAllowedIps", "Tells from which addresses the account may be called", Collection)
                .answers(200, shapes::allowed_ips),
            restrictions::read_allowed_ips,
        ),
        route(
            Method::PUT,
            &["ip-restrictions/allowed-ips"],
            Doc::new("replaceAllowedIps", "Replaces the list of addresses", Inferred)
                .takes(shapes::allowed_ips_replace)
                .answers(200, shapes::allowed_ips),
            restrictions::replace_allowed_ips,
        ),
        route(
            Method::PATCH,
            &["inbound-restriction/ip"],
            Doc::new("changeAllowedIps", "Changes the mode of the list of addresses, or the list", Documented)
                .takes(shapes::allowed_ips_change)
                .answers(200, shapes::allowed_ips),
            restrictions::change_allowed_ips,
        ),
    ]
}

/// Controls of the test environment.
pub fn testing_routes() -> Vec<Route> {
    use Source::Ours;
    let create_link = Route::at(
        Method::POST,
        &["/testing/accounts/{partner_account_id}/bootstrap-links", "/testing/bootstrap-links"],
        Category::Unlimited,
        Who::AcquiringPartner,
        Doc::new("createBootstrapLink", "Makes a link that shows a new API key once", Ours)
            .may_take(protocol::shapes::anything)
            .answers(201, shapes::bootstrap_link),
        bootstrap_links::create,
    );
    let lift = Route::at(
        Method::DELETE,
        &["/testing/accounts/{partner_account_id}/restrictions", "/testing/restrictions"],
        Category::Unlimited,
        Who::AcquiringPartner,
        Doc::new("liftRestrictions", "Unlocks an account that enforces what nobody can fulfil", Ours).answers_nothing(),
        restrictions::lift_everything,
    );
    vec![create_link, lift]
}

/// An operation on the caller's own account, at these paths below `/v2/account/integration`.
fn route<H, T>(method: Method, tails: &[&str], doc: Doc, handler: H) -> Route
where
    H: axum::handler::Handler<T, crate::ctx::Ctx>,
    T: 'static,
{
    let templates: Vec<String> = tails.iter().map(|tail| format!("/v2/account/integration/{tail}")).collect();
    let templates: Vec<&str> = templates.iter().map(String::as_str).collect();
    Route::at(method, &templates, Category::PartnerManagement, Who::Anyone, doc, handler)
}

#[derive(Deserialize)]
struct CredentialPath {
    credential_id: String,
}

/// The description in a body that was checked; Ours: without one it is empty.
fn description(body: &Value) -> &str {
    body.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// Ours: what is disabled stays as it was.
fn refuse_disabled(life: Life, now: i64) -> Result<(), ApiError> {
    if life.is_active(now) { Ok(()) } else { Err(conflict("The credential is disabled.")) }
}

fn time(micros: i64) -> Result<Timestamp, ApiError> {
    Timestamp::from_micros(micros).map_err(ApiError::internal)
}

fn optional_time(micros: Option<i64>) -> Result<Option<Timestamp>, ApiError> {
    micros.map(time).transpose()
}

fn absent() -> ApiError {
    not_found("The credential does not exist.")
}
