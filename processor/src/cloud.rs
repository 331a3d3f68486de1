//! `cloud_id` and `cloud_auth`, as Elastic's cloud hands them out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::options::Options;

/// The address of Elasticsearch in a `cloud_id`: a label, a colon, and `host$elasticsearch$kibana` in base64
/// (`util/cloud_setting_id.rb`).
fn address(cloud_id: &str) -> Result<String, &'static str> {
    let encoded = cloud_id.rsplit_once(':').map_or(cloud_id, |(_, encoded)| encoded);
    let decoded = STANDARD.decode(encoded.trim()).map_err(|_| "it is no base64 behind its label")?;
    let decoded = String::from_utf8(decoded).map_err(|_| "it is no base64 of text behind its label")?;
    let mut parts = decoded.split('$');
    let host = parts.next().unwrap_or_default();
    let node = parts.next().ok_or("what it encodes has no '$'")?;
    if host.is_empty() || node.is_empty() || node == "undefined" {
        return Err("it names no Elasticsearch");
    }
    let (host, host_port) = host.split_once(':').unwrap_or((host, "443"));
    let (node, port) = node.split_once(':').unwrap_or((node, host_port));
    Ok(format!("https://{node}.{host}:{port}"))
}

/// Reads `cloud_id`, which takes the place of `hosts`.
pub(crate) fn host(options: &mut Options<'_>) -> Option<String> {
    let cloud_id = options.string("cloud_id")?;
    if options.is_set("hosts") {
        options.error_at("cloud_id", "set either 'hosts' or 'cloud_id'");
    }
    address(&cloud_id).map_err(|why| options.error_at("cloud_id", format!("'cloud_id' cannot be used: {why}"))).ok()
}

/// Reads `cloud_auth`, `user:password`, which takes the place of `user` and `password`.
pub(crate) fn credentials(options: &mut Options<'_>) -> Option<(String, String)> {
    let given = options.string("cloud_auth")?;
    for other in ["user", "password", "api_key"] {
        if options.is_set(other) {
            options.error_at("cloud_auth", format!("set either '{other}' or 'cloud_auth'"));
        }
    }
    let pair = given.split_once(':').filter(|(user, password)| !user.is_empty() && !password.is_empty());
    if pair.is_none() {
        options.error_at("cloud_auth", "'cloud_auth' must be 'user:password'");
    }
    pair.map(|(user, password)| (user.to_string(), password.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_cloud_ids() {
        let id = |decoded: &str| format!("my-label:{}", STANDARD.encode(decoded));
        for (decoded, wanted) in [
            ("us-east-1.aws.found.io$abc$def", Ok("https://abc.us-east-1.aws.found.io:443")),
            ("found.io:9243$abc$", Ok("https://abc.found.io:9243")),
            ("found.io$abc:9244$def", Ok("https://abc.found.io:9244")),
            ("found.io", Err("what it encodes has no '$'")),
            ("found.io$undefined$def", Err("it names no Elasticsearch")),
        ] {
            assert_eq!(address(&id(decoded)).as_deref(), wanted.as_ref().map(|text| *text), "{decoded}");
        }
        assert!(address("label:%").is_err());
    }
}
