//! `ssl` of whatever is a client.

use tailrace_common::tls::Verification;

use super::section::Section;
use crate::http::{Pem, Trust};

/// Reads the map `ssl`; nothing where there is none, or it is off. `authorities` is the key of its authorities.
pub(crate) fn trust(section: &Section<'_>, authorities: &'static str) -> Option<Trust> {
    let ssl = section.section("ssl");
    let enabled = ssl.boolean("enabled", true) && section.is_set("ssl");
    let modes = [
        ("full", Verification::Full),
        ("strict", Verification::Full),
        ("certificate", Verification::Certificate),
        ("none", Verification::None),
    ];
    let trust = Trust {
        authorities: ssl.texts(authorities).into_iter().map(|path| Pem::File(path.into())).collect(),
        identity: ssl.path("certificate").map(Pem::File).zip(ssl.path("key").map(Pem::File)),
        verification: ssl.choice("verification_mode", &modes, Verification::Full),
    };
    if ssl.get("key_passphrase").is_some() {
        let hint = "decrypt it: openssl pkey -in key.pem -out decrypted.pem";
        ssl.error("key_passphrase", "keys with a passphrase are not supported", Some(hint.into()));
    }
    ssl.ignore(&["supported_protocols", "cipher_suites", "curve_types", "renegotiation"]);
    enabled.then_some(trust)
}
