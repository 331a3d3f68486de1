#![allow(clippy::unwrap_used)]

use super::*;

/// A kubeconfig whose cluster and user are these.
fn kubeconfig(cluster: &str, user: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: here
contexts:
- {{name: other, context: {{cluster: nowhere}}}}
- {{name: here, context: {{cluster: shop, user: agent}}}}
clusters:
- {{name: shop, cluster: {cluster}}}
users:
- {{name: agent, user: {user}}}
"
    )
}

fn access(cluster: &str, user: &str, folder: &Path) -> Result<Access, String> {
    of_kubeconfig(&kubeconfig(cluster, user), folder)
}

/// The `authorization` that requests bear.
fn authorization(access: &Access) -> Result<Option<String>, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(access.authorization())
}

#[test]
fn a_pod_uses_its_own_account() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("token", "first\n"), ("namespace", "logging\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let access = of_account(folder.path(), "10.0.0.1", "443");
    assert_eq!((access.server(), access.own_namespace.as_deref()), ("https://10.0.0.1:443", Some("logging")));
    assert_eq!(access.trust.authorities, [Pem::File(folder.path().join("ca.crt"))]);
    assert_eq!(access.trust.verification, Verification::Full);
    assert_eq!(authorization(&access).unwrap().as_deref(), Some("Bearer first"));
    // Tokens are written anew before they run out.
    std::fs::write(folder.path().join("token"), "second").unwrap();
    assert_eq!(authorization(&access).unwrap().as_deref(), Some("Bearer second"));
    std::fs::remove_file(folder.path().join("token")).unwrap();
    assert!(authorization(&access).unwrap_err().contains("token"));
    assert_eq!(of_account(folder.path(), "fd00::1", "6443").server(), "https://[fd00::1]:6443");
}

#[test]
fn users_of_a_kubeconfig() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), "from a file").unwrap();
    for (user, wanted) in [
        ("{}", None),
        ("{token: abc}", Some("Bearer abc")),
        ("{tokenFile: t}", Some("Bearer from a file")),
        ("{username: me, password: secret}", Some("Basic bWU6c2VjcmV0")),
    ] {
        let access = access("{server: 'https://one:6443'}", user, folder.path()).unwrap();
        assert_eq!(authorization(&access).unwrap().as_deref(), wanted, "{user}");
        assert!(!format!("{access:?}").contains("abc"), "a token is shown");
    }
}

#[test]
fn a_program_gives_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("login");
    let text = "#!/bin/sh\nprintf '{\"status\":{\"token\":\"%s-%s\"}}' \"$1\" \"$REGION\"\n";
    std::fs::write(&script, text).unwrap();
    let user =
        |arguments: &str| format!("{{exec: {{command: sh, args: [{arguments}], env: [{{name: REGION, value: eu}}]}}}}");
    let with = |arguments: &str| access("{server: 'https://one'}", &user(arguments), folder.path()).unwrap();
    let given = authorization(&with(&format!("'{}', shop", script.display())));
    assert_eq!(given.unwrap().as_deref(), Some("Bearer shop-eu"));
    let error = authorization(&with("-c, 'exit 3'")).unwrap_err();
    assert!(error.contains("exit status: 3"), "{error}");
}

#[test]
fn clusters_of_a_kubeconfig() {
    let folder = Path::new("/etc/kube");
    let of = |cluster: &str| access(cluster, "{}", folder).unwrap();
    let plain = of("{server: 'https://one:6443'}");
    assert_eq!((plain.server(), plain.cluster.as_deref()), ("https://one:6443", Some("shop")));
    assert_eq!((plain.trust.authorities.len(), plain.trust.verification), (0, Verification::Full));
    let careless = of("{server: 'https://one', insecure-skip-tls-verify: true}");
    assert_eq!(careless.trust.verification, Verification::None);
    let file = of("{server: 'https://one', certificate-authority: ca.pem, tls-server-name: kube.local}");
    assert_eq!(file.trust.authorities, [Pem::File("/etc/kube/ca.pem".into())]);
    assert_eq!(file.name.as_deref(), Some("kube.local"));
    let inside = of("{server: 'https://one', certificate-authority-data: aGVsbG8=}");
    assert_eq!(inside.trust.authorities, [Pem::Text(b"hello".to_vec())]);
}

#[test]
fn what_is_missing_is_named() {
    let folder = Path::new("");
    for (text, message) in [
        ("{}".to_owned(), "'current-context' is missing"),
        ("current-context: gone".to_owned(), "'contexts' has no 'gone'"),
        (
            kubeconfig("{server: 'https://one'}", "{}").replace("cluster: shop", "cluster: gone"),
            "'clusters' has no 'gone'",
        ),
        (kubeconfig("{server: 'https://one'}", "{}").replace("user: agent", "user: gone"), "'users' has no 'gone'"),
        (kubeconfig("{}", "{}"), "the cluster 'shop' has no server"),
        (kubeconfig("{server: a, certificate-authority-data: '*'}", "{}"), "'certificate-authority-data'"),
        (kubeconfig("{server: a}", "{exec: {args: [a]}}"), "'exec' has no command"),
    ] {
        let error = of_kubeconfig(&text, folder).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
