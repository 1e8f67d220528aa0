//! What this end keeps sealed. Nothing can be sealed in a place that is not listed here (see [`kit::sealed`]).

use kit::sealed::{Form, Id};

kit::sealed_columns! {
    /// Every column that holds sealed values, for the move to a new key.
    pub const SEALED;

    /// What signs webhooks to Partners.
    pub(crate) ENDPOINT_SECRET {
        table: "webhook_endpoints", column: "secret", key: ["partner_id", "endpoint_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// What signed them before and is still honoured: a rotation moves the sealed bytes here. Listed after the column that they come
    /// from, so that a sweep that passes meanwhile sees them once at least.
    pub(crate) ENDPOINT_PREVIOUS_SECRET {
        table: "webhook_endpoints", column: "previous_secret", sealed_as: "secret", key: ["partner_id", "endpoint_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// What verifies webhooks from Klarna.
    pub(crate) NETWORK_SIGNING_KEY {
        table: "network_signing_keys", column: "secret", key: ["account_id", "signing_key_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// Webhooks from Klarna: they hold session tokens and customers' names.
    pub(crate) INBOX_BODY {
        table: "inbox_messages", column: "body", key: ["account_id", "event_id"],
        id: Id::Second, form: Form::Bytes,
    }
    /// Session tokens of calls that are under way.
    pub(crate) CALL_TOKEN {
        table: "jobs", column: "payload", key: ["kind", "key"],
        id: Id::Second, form: Form::JsonMember("token"),
    }
    /// Klarna's leave to charge customers again.
    pub(crate) CUSTOMER_TOKEN {
        table: "customer_tokens", column: "token", key: ["partner_id", "token_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// What is known of a Partner: persons, national numbers, bank accounts.
    pub(crate) PARTNER_PART {
        table: "partner_parts", column: "body", key: ["partner_id", "part_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// What vouches for users of Klarna's portal.
    pub(crate) PORTAL_SIGNER {
        table: "portal_signers", column: "private_key", key: ["account_id", "signer_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// Links that let a user in, with the user's address.
    pub(crate) PORTAL_LINK {
        table: "portal_links", column: "secret", key: ["partner_id", "link_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// Addresses of users of Klarna's portal.
    pub(crate) PORTAL_USER_EMAIL {
        table: "portal_users", column: "email", key: ["partner_id", "user_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// What opens the page of a hosted checkout: whoever has it may pay, and sees the order.
    pub(crate) CHECKOUT_KEY {
        table: "checkout_sessions", column: "access_key", key: ["partner_id", "session_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// Session tokens that wait in a hosted checkout.
    pub(crate) CHECKOUT_TOKEN {
        table: "checkout_sessions", column: "token", key: ["partner_id", "session_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// What opens the page of a till: whoever has it sells, and may refund.
    pub(crate) TILL_KEY {
        table: "tills", column: "access_key", key: ["partner_id", "till_id"],
        id: Id::Both("/"), form: Form::Bytes,
    }
    /// First answers that may show a secret. Those to payments are not sealed.
    pub(crate) FIRST_ANSWER {
        table: "idempotency_keys", column: "body", key: ["scope", "key"],
        id: Id::Both(" "), form: Form::BytesOrPlain,
    }
}
