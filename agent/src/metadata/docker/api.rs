//! Asks Docker: all containers once, then what its events tell of.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::container::{Container, NetworkSettings, Texts, texts};
use super::{Cache, Settings};
use crate::http::{Client, Endpoint, Refused, escaped};
use crate::metadata::Backoff;

/// How often removed containers are looked through, and how soon a silent connection is noticed to be broken.
const TICK: Duration = Duration::from_secs(10);
/// A stream without events for so long is opened anew, lest it died unseen.
const SILENCE: Duration = Duration::from_secs(600);

/// Follows Docker for good.
pub(super) async fn follow(settings: &Settings, cache: &Cache) {
    let mut backoff = Backoff::default();
    loop {
        let error = match client(settings) {
            Ok(client) => watch(&client, settings, cache, &mut backoff).await.err(),
            Err(error) => Some(Refused::Broken(error)),
        };
        if let Some(error) = error {
            cache.went_down();
            if backoff.is_first() {
                tracing::warn!(host = settings.host, %error, "cannot ask Docker; it is tried again");
            }
        }
        cache.clean(settings.cleanup);
        sleep(backoff.next()).await;
    }
}

/// `unix:///path`, `tcp://host:port`, `http://`, `https://`
fn client(settings: &Settings) -> Result<Client, String> {
    let host = settings.host.as_str();
    if let Some(path) = host.strip_prefix("unix://") {
        return Ok(Client::new(Endpoint::Unix(path.into()), None));
    }
    let (scheme, address) = host.split_once("://").unwrap_or(("tcp", host));
    let address = address.trim_end_matches('/');
    let name = address.rsplit_once(':').map_or(address, |(name, _)| name).to_owned();
    let tls = match &settings.trust {
        None if scheme != "https" => None,
        trust => {
            let config = trust.clone().unwrap_or_default().for_rustls()?;
            let name = ServerName::try_from(name).map_err(|error| format!("'{host}': {error}"))?;
            Some((config.into(), name))
        }
    };
    Ok(Client::new(Endpoint::Tcp(address.to_owned(), tls), None))
}

/// Returns when Docker has closed the stream of events.
async fn watch(client: &Client, settings: &Settings, cache: &Cache, backoff: &mut Backoff) -> Result<(), Refused> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    cache.replace(list(client, "").await?);
    // What happened since is told again, so that nothing falls between the two.
    let path = format!("/events?since={since}&filters={}", escaped(r#"{"type":["container"]}"#));
    let mut events = client.lines(&path).await?;
    if !backoff.is_first() {
        tracing::info!(host = settings.host, "Docker answers again");
    }
    backoff.reset();
    let mut silent = Duration::ZERO;
    while silent < SILENCE {
        match timeout(TICK, events.next()).await {
            Err(_) => silent += TICK,
            Ok(Err(error)) => return Err(error),
            Ok(Ok(None)) => return Ok(()),
            Ok(Ok(Some(line))) => {
                silent = Duration::ZERO;
                if let Ok(event) = serde_json::from_slice::<Event>(&line) {
                    take(client, cache, event).await?;
                }
            }
        }
        cache.clean(settings.cleanup);
    }
    Ok(())
}

async fn take(client: &Client, cache: &Cache, event: Event) -> Result<(), Refused> {
    let id = event.actor.id;
    match event.action.as_str() {
        "create" | "start" | "update" | "rename" | "die" | "stop" | "restart" | "unpause" => {
            for container in list(client, &id).await? {
                cache.put(container);
            }
        }
        "destroy" => cache.remove(&id),
        _ => {}
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    actor: Actor,
}

#[derive(Deserialize)]
struct Actor {
    #[serde(rename = "ID")]
    id: String,
}

/// An item of `/containers/json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    image: String,
    #[serde(default)]
    labels: Option<Texts>,
    #[serde(default)]
    ports: Option<Vec<Port>>,
    #[serde(default)]
    state: String,
    #[serde(default)]
    network_settings: Option<NetworkSettings>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Port {
    private_port: u16,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    config: Hostname,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Hostname {
    #[serde(default)]
    hostname: String,
}

/// All containers, those that ended too: their files are still read. Or the one of an id.
async fn list(client: &Client, id: &str) -> Result<Vec<Container>, Refused> {
    let filter =
        if id.is_empty() { String::new() } else { format!("&filters={}", escaped(&format!(r#"{{"id":["{id}"]}}"#))) };
    let answer = client.get(&format!("/containers/json?all=1{filter}")).await?;
    let items: Vec<Item> = serde_json::from_slice(&answer).map_err(|error| Refused::Broken(error.to_string()))?;
    let mut containers = Vec::with_capacity(items.len());
    for item in items {
        let mut container = item.into_container();
        if container.running && container.addresses.is_empty() {
            container.addresses = hostname(client, &container.id).await.into_iter().collect();
        }
        containers.push(container);
    }
    Ok(containers)
}

/// The name of the host that a container shares the network of.
async fn hostname(client: &Client, id: &str) -> Option<String> {
    let answer = client.get(&format!("/containers/{id}/json")).await.ok()?;
    let inspected: Inspected = serde_json::from_slice(&answer).ok()?;
    Some(inspected.config.hostname).filter(|name| !name.is_empty())
}

impl Item {
    fn into_container(self) -> Container {
        // A container that others link to has names for that too: "/web/db".
        let own = self.names.iter().find(|name| name.matches('/').count() == 1).or(self.names.first());
        let mut ports: Vec<u16> = self.ports.unwrap_or_default().iter().map(|port| port.private_port).collect();
        ports.sort_unstable();
        ports.dedup();
        Container {
            name: own.map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default(),
            image: self.image,
            labels: texts(self.labels),
            addresses: self.network_settings.unwrap_or_default().addresses(),
            ports,
            running: self.state == "running",
            id: self.id,
            ..Container::default()
        }
    }
}
