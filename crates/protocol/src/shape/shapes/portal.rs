//! Links into the portal, and user access.
