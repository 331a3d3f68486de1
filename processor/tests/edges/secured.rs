//! Kafka and Elasticsearch with TLS, reached by stores that Java's own tools make (`scripts/services up --secure`).

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{eventually, start, unique};

const PASSWORD: &str = "store-password";

/// Runs a program of those that make stores.
fn run(program: &str, arguments: &[&str]) {
    let ran = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(ran.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&ran.stdout));
}

/// Writes what the servers of the tests trust, and whom, into stores of a kind: `trust` and `client`.
fn write_stores(kind: &str, tls: &Path, folder: &Path) -> [String; 2] {
    let path = |folder: &Path, name: &str| folder.join(name).display().to_string();
    let [trust, client, bundle] = ["trust", "client", "bundle.p12"].map(|name| path(folder, name));
    let authority = path(tls, "ca.crt");
    let to = ["-storetype", kind, "-storepass", PASSWORD];
    run(
        "keytool",
        &[&["-importcert", "-noprompt", "-alias", "ca", "-file", &authority, "-keystore", &trust], &to[..]].concat(),
    );
    let (certificate, key, secret) = (path(tls, "client.crt"), path(tls, "client.key"), format!("pass:{PASSWORD}"));
    let pair = ["pkcs12", "-export", "-in", &certificate, "-inkey", &key, "-name", "client", "-certfile", &authority];
    run("openssl", &[&pair[..], &["-out", &bundle, "-passout", &secret]].concat());
    let from = ["-importkeystore", "-srckeystore", &bundle, "-srcstorepass", PASSWORD, "-destkeystore", &client];
    run("keytool", &[&from[..], &["-deststoretype", kind, "-deststorepass", PASSWORD]].concat());
    [trust, client]
}

#[test]
fn kafka_and_elasticsearch_by_stores_of_java() {
    let fact = |name: &str| std::env::var(format!("TAILRACE_TEST_{name}")).ok();
    let (Some(tls), Some(servers), Some(elastic)) = (fact("TLS"), fact("KAFKA_SSL"), fact("ELASTICSEARCH_SECURE"))
    else {
        eprintln!("skipped: the servers have no secured listeners (scripts/services up --secure)");
        return;
    };
    let user = fact("ELASTICSEARCH_USER").zip(fact("ELASTICSEARCH_PASSWORD")).unwrap();
    for kind in ["JKS", "PKCS12"] {
        let folder = tempfile::tempdir().unwrap();
        let [trust, client] = write_stores(kind, Path::new(&tls), folder.path());
        let name = unique();
        let kafka = format!(
            "bootstrap_servers => \"{servers}\" security_protocol => SSL
             ssl_truststore_type => {kind} ssl_truststore_location => \"{trust}\" ssl_truststore_password => \"{PASSWORD}\"
             ssl_keystore_type => {kind} ssl_keystore_location => \"{client}\" ssl_keystore_password => \"{PASSWORD}\""
        );
        let running = start(
            &format!(
                "input {{ generator {{ lines => [\"hello\"] count => 10 }} }}
                 output {{ kafka {{ {kafka} topic_id => \"{name}\" codec => json }} }}"
            ),
            folder.path(),
        );
        assert!(running.join());
        // The client's certificate and the user go side by side.
        let elastic = format!(
            "hosts => \"{elastic}\" user => \"{}\" password => \"{}\"
             ssl_truststore_path => \"{trust}\" ssl_truststore_password => \"{PASSWORD}\"
             ssl_keystore_path => \"{client}\" ssl_keystore_password => \"{PASSWORD}\"",
            user.0, user.1
        );
        let running = start(
            &format!(
                "input {{ kafka {{ {kafka} topics => \"{name}\" group_id => \"{name}\" auto_offset_reset => earliest codec => json }} }}
                 output {{ elasticsearch {{ {elastic} index => \"{name}\" data_stream => false manage_template => false }} }}"
            ),
            folder.path(),
        );
        let out = folder.path().join("out");
        eventually("the documents are found", || {
            let asked = start(
                &format!(
                    "input {{ generator {{ lines => [\"x\"] count => 1 }} }}
                     filter {{ elasticsearch {{ {elastic} index => \"{name}\" query => \"*\" enable_sort => false }}
                               mutate {{ add_field => {{ \"found\" => \"%{{[@metadata][total_hits]}}\" }} }} }}
                     output {{ file {{ path => \"{}\" }} }}",
                    out.display()
                ),
                folder.path(),
            );
            assert!(asked.join());
            std::fs::read_to_string(&out).unwrap_or_default().contains("\"found\":\"10\"").then_some(())
        });
        running.stop();
        assert!(running.join());
    }
}
