//! How to get at a cluster: a kubeconfig, or the account of the pod in which the agent runs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tailrace_common::tls::Verification;
use tailrace_common::yaml::{self, Node};
use tokio::process::Command;
use tokio::time::timeout;

use crate::http::{Client, Endpoint, Pem, Trust};

/// Where a pod finds its own account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How long a program that gives a token may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A way to a cluster.
#[derive(Debug)]
pub(super) struct Access {
    server: String,
    trust: Trust,
    /// `tls-server-name`
    name: Option<String>,
    user: User,
    /// The namespace of the agent's own pod, where it runs in one.
    pub(super) own_namespace: Option<String>,
    /// The cluster's name in the kubeconfig.
    pub(super) cluster: Option<String>,
}

/// Who the agent is.
#[derive(Debug)]
enum User {
    /// Nobody, or whom the certificate names.
    Plain,
    /// `authorization` as it is.
    Header(Secret),
    /// A token in a file that is written anew now and then.
    TokenFile(PathBuf),
    /// A program that gives a token.
    Program { command: String, arguments: Vec<String>, environment: Vec<(String, String)> },
}

/// A text that is not shown.
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("...")
    }
}

/// Finds the way: a kubeconfig, the one that `KUBECONFIG` names, or the pod's account. Nothing where there is none.
pub(super) fn find(kubeconfig: Option<&Path>) -> Result<Option<Access>, String> {
    let named = std::env::var_os("KUBECONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = kubeconfig.map(Path::to_owned).or(named) {
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
        let access = of_kubeconfig(&text, path.parent().unwrap_or(Path::new("")));
        return access.map(Some).map_err(|error| format!("'{}': {error}", path.display()));
    }
    let (Ok(host), Ok(port)) = (std::env::var("KUBERNETES_SERVICE_HOST"), std::env::var("KUBERNETES_SERVICE_PORT"))
    else {
        return Ok(None);
    };
    Ok(Some(of_account(Path::new(ACCOUNT), &host, &port)))
}

/// The way of a pod, by its account's folder and the address that it is told.
fn of_account(account: &Path, host: &str, port: &str) -> Access {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let namespace = std::fs::read_to_string(account.join("namespace")).ok();
    Access {
        server: format!("https://{host}:{port}"),
        trust: Trust { authorities: vec![Pem::File(account.join("ca.crt"))], ..Trust::default() },
        name: None,
        user: User::TokenFile(account.join("token")),
        own_namespace: namespace.map(|namespace| namespace.trim().to_owned()),
        cluster: None,
    }
}

/// The item of a list that has a name, and in it the map under `key`.
fn named<'n>(whole: &'n Node, list: &str, name: &str, key: &str) -> Result<&'n Node, String> {
    let items = whole.get(list).and_then(Node::as_list).unwrap_or_default();
    let item = items.iter().find(|item| item.get("name").and_then(Node::as_text) == Some(name));
    item.and_then(|item| item.get(key)).ok_or_else(|| format!("'{list}' has no '{name}'"))
}

fn of_kubeconfig(text: &str, folder: &Path) -> Result<Access, String> {
    let whole = yaml::parse(text).map_err(|error| error.to_string())?;
    let text_of = |node: &Node, key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    let current = text_of(&whole, "current-context").ok_or("'current-context' is missing")?;
    let context = named(&whole, "contexts", &current, "context")?;
    let cluster_name = text_of(context, "cluster").ok_or_else(|| format!("the context '{current}' has no cluster"))?;
    let cluster = named(&whole, "clusters", &cluster_name, "cluster")?;
    let user = match text_of(context, "user") {
        Some(name) => Some(named(&whole, "users", &name, "user")?),
        None => None,
    };
    let pem = |node: &Node, key: &str| -> Result<Option<Pem>, String> {
        if let Some(data) = text_of(node, &format!("{key}-data")) {
            let data = STANDARD.decode(data.trim()).map_err(|error| format!("'{key}-data': {error}"))?;
            return Ok(Some(Pem::Text(data)));
        }
        Ok(text_of(node, key).map(|path| Pem::File(folder.join(path))))
    };
    let identity = match user {
        Some(user) => pem(user, "client-certificate")?.zip(pem(user, "client-key")?),
        None => None,
    };
    let trust = Trust {
        authorities: pem(cluster, "certificate-authority")?.into_iter().collect(),
        identity,
        verification: match cluster.get("insecure-skip-tls-verify").and_then(Node::as_bool) {
            Some(true) => Verification::None,
            _ => Verification::Full,
        },
    };
    Ok(Access {
        server: text_of(cluster, "server").ok_or_else(|| format!("the cluster '{cluster_name}' has no server"))?,
        trust,
        name: text_of(cluster, "tls-server-name"),
        user: user.map_or(Ok(User::Plain), |user| of_user(user, folder))?,
        own_namespace: None,
        cluster: Some(cluster_name),
    })
}

fn of_user(user: &Node, folder: &Path) -> Result<User, String> {
    let text_of = |node: &Node, key: &str| node.get(key).and_then(Node::as_text).map(str::to_owned);
    if let Some(path) = text_of(user, "tokenFile") {
        return Ok(User::TokenFile(folder.join(path)));
    }
    if let Some(token) = text_of(user, "token") {
        return Ok(User::Header(Secret(format!("Bearer {token}"))));
    }
    if let Some((name, password)) = text_of(user, "username").zip(text_of(user, "password")) {
        return Ok(User::Header(Secret(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))));
    }
    let Some(program) = user.get("exec") else { return Ok(User::Plain) };
    let list = |key: &str| program.get(key).and_then(Node::as_list).unwrap_or_default();
    let environment = list("env").iter().filter_map(|pair| text_of(pair, "name").zip(text_of(pair, "value"))).collect();
    Ok(User::Program {
        command: text_of(program, "command").ok_or("'exec' has no command")?,
        arguments: list("args").iter().filter_map(|argument| argument.as_text().map(str::to_owned)).collect(),
        environment,
    })
}

impl Access {
    /// The cluster's address.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// A client with the token of today, and what stands before every path.
    pub(super) async fn client(&self) -> Result<(Client, String), String> {
        let (scheme, rest) = self.server.split_once("://").unwrap_or(("https", &self.server));
        let (address, base) = rest.split_once('/').unwrap_or((rest, ""));
        let name = address.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map(|(name, _)| name);
        let port = if scheme == "https" { 443 } else { 80 };
        let full = if name.is_some() { address.to_owned() } else { format!("{address}:{port}") };
        let tls = if scheme == "https" {
            let name = self.name.as_deref().or(name).unwrap_or(address).trim_matches(['[', ']']).to_owned();
            let name = ServerName::try_from(name).map_err(|error| format!("'{}': {error}", self.server))?;
            Some((self.trust.for_rustls()?.into(), name))
        } else {
            None
        };
        let client = Client::new(Endpoint::Tcp(full, tls), self.authorization().await?);
        let base = base.trim_matches('/');
        Ok((client, if base.is_empty() { String::new() } else { format!("/{base}") }))
    }

    async fn authorization(&self) -> Result<Option<String>, String> {
        match &self.user {
            User::Plain => Ok(None),
            User::Header(Secret(header)) => Ok(Some(header.clone())),
            User::TokenFile(path) => {
                let token = std::fs::read_to_string(path);
                let token = token.map_err(|error| format!("cannot read '{}': {error}", path.display()))?;
                Ok(Some(format!("Bearer {}", token.trim())))
            }
            User::Program { command, arguments, environment } => {
                let mut program = Command::new(command);
                program.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
                program.env("KUBERNETES_EXEC_INFO", EXEC_INFO).stdin(Stdio::null()).kill_on_drop(true);
                let answer = timeout(PATIENCE, program.output()).await;
                let answer = answer.map_err(|_| format!("'{command}' gives no token in time"))?;
                let answer = answer.map_err(|error| format!("cannot run '{command}': {error}"))?;
                let given: Given = serde_json::from_slice(&answer.stdout)
                    .map_err(|error| format!("'{command}' ended with {} and gives no token: {error}", answer.status))?;
                Ok(Some(format!("Bearer {}", given.status.token)))
            }
        }
    }
}

/// What such a program is told.
const EXEC_INFO: &str =
    r#"{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}"#;

/// What it answers.
#[derive(Deserialize)]
struct Given {
    status: GivenStatus,
}

#[derive(Deserialize)]
struct GivenStatus {
    token: String,
}

#[cfg(test)]
#[path = "access_tests.rs"]
mod tests;
