//! The portal's pages.

use maud::{Markup, html};

use super::entrance::Grant;
use super::role::Role;
use crate::credentials::Listed;
use crate::credentials::pages::{document, secret_facts};

/// What the page shows of an account.
pub(super) struct Account {
    pub id: String,
    pub name: String,
    /// Of the payment product, if there is one.
    pub product_state: Option<String>,
    pub api_keys: Vec<Listed>,
    pub client_identifiers: Vec<Listed>,
}

/// A key that was made just now.
pub(super) struct Made {
    pub credential_id: String,
    pub secret: String,
}

/// The page behind every link.
pub(super) fn portal(grant: &Grant, account: &Account, made: Option<&Made>, csrf: &str) -> Markup {
    let manages_keys = Role::may_manage_api_keys(&grant.roles);
    let sign_out = html! {
        form method="post" action="/portal/sign-out" {
            (proof(csrf))
            button.button.quiet type="submit" data-testid="sign-out" { "Sign out" }
        }
    };
    document(
        &account.name,
        sign_out,
        html! {
            h1 { (account.name) }
            dl.facts.card {
                div { dt { "Partner account" } dd { code.id { (account.id) } } }
                div { dt { "Signed in as" } dd { (grant.principal) } }
                div { dt { "Role" } dd data-testid="roles" { @for role in &grant.roles { (role_name(*role)) " " } } }
                div { dt { "Let in by" } dd { code.id { (grant.granted_by) } } }
            }
            @if let Some(made) = made {
                div.callout.waiting role="status" {
                    p { "Your new API key. It is shown this once." }
                    (secret_facts("Partner account", &account.id, &made.credential_id, &made.secret))
                }
            }
            section.stack aria-labelledby="products" {
                h2 id="products" { "Products" }
                @match &account.product_state {
                    Some(state) => p data-testid="product" { "Payment " (state_badge(state)) },
                    None => div.empty { p { "This account has no product yet. Its Acquiring Partner adds one when it onboards the account." } },
                }
                p.muted { "Boost products (messaging, sign-in, express checkout) need a client identifier on the page, and an API key where your server takes part." }
            }
            @if manages_keys {
                section.stack aria-labelledby="api-keys" {
                    h2 id="api-keys" { "API keys" }
                    (key_table(&account.api_keys, csrf))
                    form.filters method="post" action="/portal/api-keys" {
                        (proof(csrf))
                        (description_field("key-description"))
                        button.button.primary type="submit" data-testid="create-api-key" { "Make an API key" }
                    }
                }
            }
            section.stack aria-labelledby="client-identifiers" {
                h2 id="client-identifiers" { "Client identifiers" }
                @if account.client_identifiers.is_empty() {
                    div.empty { p { "None yet. A client identifier is not secret: it names your pages to the Web SDK." } }
                } @else {
                    div.table tabindex="0" role="region" aria-labelledby="client-identifiers" {
                        table {
                            thead { tr { th scope="col" { "Client identifier" } th scope="col" { "Description" } th scope="col" { "State" } } }
                            tbody {
                                @for entry in &account.client_identifiers {
                                    tr { td { code.id.whole { (entry.text) } } td { (entry.description) } td { (state_badge(entry.state)) } }
                                }
                            }
                        }
                    }
                }
                form.filters method="post" action="/portal/client-identifiers" {
                    (proof(csrf))
                    (description_field("client-description"))
                    button.button type="submit" data-testid="create-client-identifier" { "Make a client identifier" }
                }
            }
        },
    )
}

fn key_table(keys: &[Listed], csrf: &str) -> Markup {
    html! {
        @if keys.is_empty() {
            div.empty { p { "None yet. Make one for each of your services." } }
        } @else {
            div.table tabindex="0" role="region" aria-labelledby="api-keys" {
                table {
                    thead { tr { th scope="col" { "API key" } th scope="col" { "Description" } th scope="col" { "State" } th.actions scope="col" { span.visually-hidden { "Actions" } } } }
                    tbody {
                        @for key in keys {
                            tr {
                                td { code.id.whole { (key.credential_id) } }
                                td { (key.description) }
                                td { (state_badge(key.state)) }
                                td.actions {
                                    @if key.state == "ACTIVE" {
                                        form method="post" action="/portal/api-keys/disable" {
                                            (proof(csrf))
                                            input type="hidden" name="credential_id" value=(key.credential_id);
                                            button.button.small.danger type="submit" { "Disable" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The forms' proof that this browser was shown them.
fn proof(csrf: &str) -> Markup {
    html! { input type="hidden" name="csrf" value=(csrf); }
}

fn description_field(id: &str) -> Markup {
    html! {
        div.field {
            label for=(id) { "Description" }
            input id=(id) name="description" maxlength="100" autocomplete="off";
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "Administrator",
        Role::Developer => "Developer",
    }
}

fn state_badge(state: &str) -> Markup {
    let (class, word) = match state {
        "ACTIVE" => ("done", "Active"),
        "ENABLED" => ("done", "Enabled"),
        "DISABLED" => ("ended", "Disabled"),
        "TERMINATED" => ("refused", "Terminated"),
        other => ("ended", other),
    };
    html! { span class={ "badge " (class) } { (word) } }
}

fn message(title: &str, text: &str) -> Markup {
    document(title, html! {}, html! { h1 { (title) } p { (text) } })
}

/// A deep link that was used, or is too old.
pub(super) fn link_over() -> Markup {
    message(
        "This link is over",
        "It works once, for a minute. Go back to where you came from and follow the link again.",
    )
}

/// Nobody is signed in, or not any more.
pub(super) fn signed_out() -> Markup {
    message(
        "You are signed out",
        "The portal is entered from your payment provider's own pages. A session ends after eight hours without use.",
    )
}

/// A form that could not be followed.
pub(super) fn refused(reason: &str) -> Markup {
    message("That did not work", reason)
}
