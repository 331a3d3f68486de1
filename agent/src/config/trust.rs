//! `ssl` of whatever is a client.

use super::section::Section;
use crate::http::{Pem, Trust};

/// Reads the map `ssl`; nothing where there is none, or it is off. `authorities` is the key of its authorities.
pub(crate) fn trust(section: &Section<'_>, authorities: &'static str) -> Option<Trust> {
    let ssl = section.section("ssl");
    let enabled = ssl.boolean("enabled", true) && section.is_set("ssl");
    let modes = [("full", true), ("strict", true), ("certificate", true), ("none", false)];
    let trust = Trust {
        authorities: ssl.texts(authorities).into_iter().map(|path| Pem::File(path.into())).collect(),
        identity: ssl.path("certificate").map(Pem::File).zip(ssl.path("key").map(Pem::File)),
        verify: ssl.choice("verification_mode", &modes, true),
    };
    if ssl.get("key_passphrase").is_some() {
        let hint = "decrypt it: openssl pkey -in key.pem -out decrypted.pem";
        ssl.error("key_passphrase", "keys with a passphrase are not supported", Some(hint.into()));
    }
    ssl.ignore(&["supported_protocols", "cipher_suites", "curve_types", "renegotiation"]);
    enabled.then_some(trust)
}
