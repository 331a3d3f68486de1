//! Writes small MaxMind databases for tests.

use serde_json::Value as Json;

/// A database of IPv4 networks, in the format of MaxMind's specification 2.0 with records of 32 bits.
pub(super) fn database(kind: &str, networks: &[([u8; 4], u32, Json)]) -> Vec<u8> {
    let mut data = Vec::new();
    let offsets: Vec<usize> = networks
        .iter()
        .map(|(.., record)| {
            let offset = data.len();
            write(record, &mut data);
            offset
        })
        .collect();
    let tree = Tree::of(networks);
    let count = tree.nodes.len();
    let mut file = Vec::new();
    for node in &tree.nodes {
        for side in node {
            let number = match side {
                Side::Nothing => count,
                Side::Node(node) => *node,
                Side::Record(record) => count + 16 + offsets[*record],
            };
            file.extend_from_slice(&(number as u32).to_be_bytes());
        }
    }
    file.extend_from_slice(&[0; 16]);
    file.extend_from_slice(&data);
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = serde_json::json!({
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1_700_000_000,
        "database_type": kind,
        "description": { "en": "test" },
        "ip_version": 4,
        "languages": ["en"],
        "node_count": count,
        "record_size": 32,
    });
    write(&metadata, &mut file);
    file
}

#[derive(Clone, Copy)]
enum Side {
    Nothing,
    Node(usize),
    Record(usize),
}

struct Tree {
    nodes: Vec<[Side; 2]>,
}

impl Tree {
    fn of(networks: &[([u8; 4], u32, Json)]) -> Tree {
        let mut tree = Tree { nodes: vec![[Side::Nothing; 2]] };
        for (record, (address, prefix, _)) in networks.iter().enumerate() {
            let bits = u32::from_be_bytes(*address);
            let mut node = 0;
            for depth in 0..*prefix {
                let side = (bits >> (31 - depth) & 1) as usize;
                if depth + 1 == *prefix {
                    tree.nodes[node][side] = Side::Record(record);
                } else if let Side::Node(next) = tree.nodes[node][side] {
                    node = next;
                } else {
                    tree.nodes.push([Side::Nothing; 2]);
                    let next = tree.nodes.len() - 1;
                    tree.nodes[node][side] = Side::Node(next);
                    node = next;
                }
            }
        }
        tree
    }
}

/// Type and size of a value; types beyond 7 stand in a byte of their own.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let (first, extended) = if kind > 7 { (0, Some(kind - 7)) } else { (kind, None) };
    let (bits, rest) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
    out.push(first << 5 | bits);
    out.extend(extended);
    out.extend(rest);
}

/// A whole number, of the size that the metadata has it in.
fn whole(key: &str, number: u64, out: &mut Vec<u8>) {
    let (kind, size) = match key {
        "build_epoch" => (9, 8),
        "node_count" | "autonomous_system_number" => (6, 4),
        _ => (5, 2),
    };
    control(kind, size, out);
    out.extend_from_slice(&number.to_be_bytes()[8 - size..]);
}

fn write(value: &Json, out: &mut Vec<u8>) {
    match value {
        Json::Object(map) => {
            control(7, map.len(), out);
            for (key, value) in map {
                write(&Json::from(key.as_str()), out);
                match value.as_u64() {
                    Some(number) => whole(key, number, out),
                    None => write(value, out),
                }
            }
        }
        Json::Array(values) => {
            control(11, values.len(), out);
            values.iter().for_each(|value| write(value, out));
        }
        Json::String(text) => {
            control(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Json::Bool(flag) => control(14, usize::from(*flag), out),
        Json::Number(number) => {
            control(3, 8, out);
            out.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
        }
        Json::Null => control(2, 0, out),
    }
}
