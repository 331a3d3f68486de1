//! A configuration fetched over HTTP (`ConfigRemoteLoader` in `config/source/local.rb`): one answer, no redirects.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::http_client::{HttpError, body};
use crate::lookup::runtime;

/// For the whole exchange.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The bytes that an address answers with.
///
/// # Errors
/// A message.
pub(super) fn fetch(address: &str) -> Result<Vec<u8>, String> {
    let url = Url::parse(address).map_err(|error| error.to_string())?;
    let client = Client::builder().redirect(Policy::none()).timeout(TIMEOUT).build();
    let client = client.map_err(|error| error.to_string())?;
    runtime()?.block_on(async {
        let answer = client.get(url).send().await.map_err(|error| HttpError::from(error).to_string())?;
        match answer.status().as_u16() {
            200 => body(answer).await.map_err(|error| error.to_string()),
            301 | 302 | 303 | 307 | 308 => Err("it redirects elsewhere, which is not followed".into()),
            status => Err(format!("it answers {status}")),
        }
    })
}
