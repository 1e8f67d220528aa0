//! API keys, client identifiers, certificates, SFTP users, address restrictions.
