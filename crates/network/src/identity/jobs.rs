//! Draws a new key for `id_token`s when the newest is old, and deletes those that are no longer needed.

use kit::clock::MINUTE_US;

use super::keys;
use crate::rounds::Sweep;

pub(crate) const SWEEP: Sweep = Sweep {
    kind: "identity.keys",
    doing: "looking after the keys of sign-ins",
    next: |began| began + 10 * MINUTE_US,
    round: |ctx| Box::pin(async move { keys::pass_time(&ctx).await.map(|()| false) }),
};
