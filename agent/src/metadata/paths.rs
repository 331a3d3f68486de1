//! What the path of a log file says of its container.

use std::path::Path;

/// Whether this is a container's id: 64 hexadecimal digits.
pub(crate) fn is_container_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The id in a path: the part at `index`, if it is one, else the last part that is one or that ends with one.
///
/// Filebeat takes the part at `index` whatever it is.
pub(crate) fn container_id(path: &Path, index: usize) -> Option<&str> {
    let parts = path.to_str()?.split('/').filter(|part| !part.is_empty());
    if let Some(id) = parts.clone().nth(index).filter(|part| is_container_id(part)) {
        return Some(id);
    }
    parts.rev().find_map(|part| {
        let stem = part.split_once(".log").map_or(part, |(stem, _)| stem);
        let stem = stem.strip_suffix("-json").unwrap_or(stem);
        let id = stem.get(stem.len().checked_sub(64)?..)?;
        is_container_id(id).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_paths() {
        let id = "b5285682fba7449c86452b89a800609440ecc88a7ba5f2d38bedfb85409b30b1";
        for (path, index, wanted) in [
            (format!("/var/lib/docker/containers/{id}/{id}-json.log"), 4, Some(id)),
            (format!("/var/lib/docker/containers/{id}/{id}-json.log.1"), 9, Some(id)),
            (format!("/data/docker/{id}/local-logs/container.log"), 4, Some(id)),
            (format!("/var/log/containers/web-1_shop_nginx-{id}.log"), 4, Some(id)),
            ("/var/log/apps/shop/web/today.log".to_owned(), 4, None),
            (format!("/var/log/{id}x/a.log"), 4, None),
        ] {
            assert_eq!(container_id(Path::new(&path), index), wanted, "{path}");
        }
    }
}
