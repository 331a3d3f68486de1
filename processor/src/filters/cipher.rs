//! Filter `cipher`: encrypts and decrypts with AES.

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tailrace_common::{Event, FieldPath, Str, Value};

use super::fingerprint::password;
use crate::options::{Invalid, Options};
use crate::plugin::{BuildContext, Filter, FilterContext, FilterDefinition};

pub(super) const DEFINITION: FilterDefinition = FilterDefinition {
    name: "cipher",
    summary: "Encrypts or decrypts a field with AES (CBC, CTR or ECB).",
    example: "filter { cipher { algorithm => \"aes-256-cbc\" mode => \"encrypt\" key => \"secret\" key_size => 32 \
              iv_random_length => 16 source => \"message\" target => \"[message_encrypted]\" } }",
    build,
};

const BLOCK: usize = 16;

type Block = [u8; BLOCK];

fn build(mut options: Options<'_>, _build: &BuildContext<'_>) -> Result<Box<dyn Filter>, Invalid> {
    for required in ["algorithm", "mode", "key"] {
        options.require(required);
    }
    let source = options.field("source").unwrap_or_else(|| FieldPath::field("message"));
    let target = options.field("target").unwrap_or_else(|| FieldPath::field("message"));
    let base64 = options.boolean("base64", true);
    let decrypts = options.one_of("mode", &["encrypt", "decrypt"], "encrypt") == "decrypt";
    if !base64 && !decrypts {
        options.error_at("base64", "encrypted bytes are no text; leave 'base64' on");
    }
    options.obsolete("iv", "use 'iv_random_length'");
    options.ignored("max_cipher_reuse", "a cipher costs nothing to make here");
    let algorithm = options.string("algorithm").unwrap_or_default();
    let cipher = cipher(&mut options, &algorithm);
    if options.integer("iv_random_length").is_some_and(|length| length != BLOCK as i64) {
        options.error_at("iv_random_length", "AES takes 16 bytes of initialization vector");
    }
    if !options.is_set("iv_random_length") && !matches!(&cipher, Some(cipher) if cipher.chaining == Chaining::Ecb) {
        options.require("iv_random_length");
    }
    let padded = match options.string("cipher_padding").as_deref() {
        None | Some("1") => true,
        Some("0") => false,
        Some(other) => {
            options.error_at("cipher_padding", format!("'cipher_padding' must be 0 or 1, this is '{other}'"));
            true
        }
    };
    options.finish()?;
    Ok(Box::new(CipherFilter { source, target, base64, decrypts, padded, cipher: cipher.ok_or(Invalid)? }))
}

/// Reads what names the cipher and its key.
fn cipher(options: &mut Options<'_>, algorithm: &str) -> Option<Cipher> {
    let size = options.integer("key_size").unwrap_or(16);
    let pad = options.string("key_pad").unwrap_or_else(|| "\0".into());
    let key = password(options, "key").unwrap_or_default();
    let lower = algorithm.to_ascii_lowercase();
    let (bits, chaining) = match lower.strip_prefix("aes-").and_then(|rest| rest.split_once('-')) {
        Some((bits, "cbc")) => (bits, Chaining::Cbc),
        Some((bits, "ctr")) => (bits, Chaining::Ctr),
        Some((bits, "ecb")) => (bits, Chaining::Ecb),
        _ => ("", Chaining::Cbc),
    };
    let needed = match bits {
        "128" => 16,
        "192" => 24,
        "256" => 32,
        _ => {
            let message =
                format!("'{algorithm}' is not supported; use aes-128, aes-192 or aes-256 with -cbc, -ctr or -ecb");
            options.error_at("algorithm", message);
            return None;
        }
    };
    if size != needed {
        options.error_at("key_size", format!("'{algorithm}' takes a 'key_size' of {needed}, this is {size}"));
        return None;
    }
    let mut key: Vec<u8> = key.bytes().take(needed as usize).collect();
    key.resize(needed as usize, pad.bytes().next().unwrap_or(0));
    let aes = match needed {
        16 => Aes::Bits128(Aes128::new_from_slice(&key).ok()?),
        24 => Aes::Bits192(Aes192::new_from_slice(&key).ok()?),
        _ => Aes::Bits256(Box::new(Aes256::new_from_slice(&key).ok()?)),
    };
    Some(Cipher { aes, chaining })
}

struct CipherFilter {
    source: FieldPath,
    target: FieldPath,
    /// Whether what is encrypted is written as base64.
    base64: bool,
    decrypts: bool,
    /// Whether the last block is filled up (PKCS #7); else the text must be whole blocks.
    padded: bool,
    cipher: Cipher,
}

struct Cipher {
    aes: Aes,
    chaining: Chaining,
}

enum Aes {
    Bits128(Aes128),
    Bits192(Aes192),
    Bits256(Box<Aes256>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chaining {
    Cbc,
    Ctr,
    Ecb,
}

impl Filter for CipherFilter {
    fn filter(&self, event: &mut Event, context: &mut FilterContext<'_>) {
        let Some(Value::String(text)) = event.get(&self.source) else { return };
        if text.is_empty() {
            return;
        }
        let made = if self.decrypts { self.decrypted(text) } else { self.encrypted(text) };
        // What cannot be decrypted stays as it is; Logstash only logs it.
        match made.map(|made| event.set(&self.target, made)) {
            Some(Ok(())) => context.matched(event),
            _ => context.failed(event, &[] as &[&str]),
        }
    }
}

impl CipherFilter {
    fn encrypted(&self, text: &str) -> Option<Str> {
        let mut data = text.as_bytes().to_vec();
        if self.padded && self.cipher.chaining != Chaining::Ctr {
            let missing = BLOCK - data.len() % BLOCK;
            data.resize(data.len() + missing, missing as u8);
        }
        let mut vector: Block = [0; BLOCK];
        getrandom::fill(&mut vector).ok()?;
        self.cipher.apply(&mut data, vector, false)?;
        let mut out = Vec::with_capacity(BLOCK + data.len());
        if self.cipher.chaining != Chaining::Ecb {
            out.extend_from_slice(&vector);
        }
        out.extend_from_slice(&data);
        Some(STANDARD.encode(out).into())
    }

    fn decrypted(&self, text: &str) -> Option<Str> {
        let bytes = if self.base64 { STANDARD.decode(text).ok()? } else { text.as_bytes().to_vec() };
        let (vector, data) = match self.cipher.chaining {
            Chaining::Ecb => (&[0; BLOCK], bytes.as_slice()),
            _ => bytes.split_first_chunk::<BLOCK>()?,
        };
        let mut data = data.to_vec();
        self.cipher.apply(&mut data, *vector, true)?;
        if self.padded && self.cipher.chaining != Chaining::Ctr {
            let filled = usize::from(*data.last()?);
            let kept = data.len().checked_sub(filled).filter(|_| (1..=BLOCK).contains(&filled))?;
            if data[kept..].iter().any(|byte| usize::from(*byte) != filled) {
                return None;
            }
            data.truncate(kept);
        }
        Some(Str::from(String::from_utf8_lossy(&data).as_ref()))
    }
}

impl Cipher {
    /// Encrypts or decrypts in place; nothing when the data are no whole blocks and must be.
    fn apply(&self, data: &mut [u8], vector: Block, decrypts: bool) -> Option<()> {
        if self.chaining == Chaining::Ctr {
            let mut counter = u128::from_be_bytes(vector);
            for chunk in data.chunks_mut(BLOCK) {
                let key = self.aes.encrypted(counter.to_be_bytes());
                chunk.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
                counter = counter.wrapping_add(1);
            }
            return Some(());
        }
        let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
        if !rest.is_empty() {
            return None;
        }
        let chained = self.chaining == Chaining::Cbc;
        let mut previous = if chained { vector } else { [0; BLOCK] };
        for block in blocks {
            let read = *block;
            *block = if decrypts {
                xored(self.aes.decrypted(read), previous)
            } else {
                self.aes.encrypted(xored(read, previous))
            };
            if chained {
                previous = if decrypts { read } else { *block };
            }
        }
        Some(())
    }
}

fn xored(left: Block, right: Block) -> Block {
    std::array::from_fn(|at| left[at] ^ right[at])
}

impl Aes {
    fn encrypted(&self, block: Block) -> Block {
        let mut block = Array::from(block);
        match self {
            Aes::Bits128(aes) => aes.encrypt_block(&mut block),
            Aes::Bits192(aes) => aes.encrypt_block(&mut block),
            Aes::Bits256(aes) => aes.encrypt_block(&mut block),
        }
        block.into()
    }

    fn decrypted(&self, block: Block) -> Block {
        let mut block = Array::from(block);
        match self {
            Aes::Bits128(aes) => aes.decrypt_block(&mut block),
            Aes::Bits192(aes) => aes.decrypt_block(&mut block),
            Aes::Bits256(aes) => aes.decrypt_block(&mut block),
        }
        block.into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::filters::testing::{check, run_with};

    /// The first block of NIST's examples (SP 800-38A).
    #[test]
    fn blocks_are_those_of_the_standard() {
        let bytes = |number: u128| number.to_be_bytes();
        let key = bytes(0x2b7e1516_28aed2a6_abf71588_09cf4f3c);
        for (chaining, vector, encrypted) in [
            (Chaining::Ecb, 0, 0x3ad77bb4_0d7a3660_a89ecaf3_2466ef97),
            (Chaining::Cbc, 0x00010203_04050607_08090a0b_0c0d0e0f, 0x7649abac_8119b246_cee98e9b_12e9197d),
            (Chaining::Ctr, 0xf0f1f2f3_f4f5f6f7_f8f9fafb_fcfdfeff, 0x874d6191_b620e326_1bef6864_990db6ce),
        ] {
            let cipher = Cipher { aes: Aes::Bits128(Aes128::new_from_slice(&key).unwrap()), chaining };
            let plain = bytes(0x6bc1bee2_2e409f96_e93d7e11_7393172a);
            let mut data = plain;
            assert_eq!(cipher.apply(&mut data, bytes(vector), false), Some(()));
            assert_eq!(data, bytes(encrypted));
            assert_eq!(cipher.apply(&mut data, bytes(vector), true), Some(()));
            assert_eq!(data, plain);
        }
    }

    #[test]
    fn what_is_encrypted_comes_back() {
        for (algorithm, size) in [("aes-128-cbc", 16), ("AES-192-CTR", 24), ("aes-256-cbc", 32), ("aes-256-ecb", 32)] {
            let vector = if algorithm.ends_with("ecb") { "" } else { "iv_random_length => 16" };
            let config = |mode: &str| {
                format!(
                    "cipher {{ algorithm => \"{algorithm}\" mode => {mode} key => \"secret\" key_size => {size} {vector} }}"
                )
            };
            for text in ["a", "sixteen bytes ok", "价格：￥5"] {
                let event = format!("{{\"message\":\"{text}\"}}");
                check(&format!("{} {}", config("encrypt"), config("decrypt")), &event, &[&event]);
            }
            check(&config("decrypt"), r#"{"message":"no base64"}"#, &[r#"{"message":"no base64"}"#]);
        }
    }

    #[test]
    fn ciphers_are_checked_at_load() {
        for options in [
            "algorithm => \"des-cbc\" mode => \"encrypt\" key => \"k\" iv_random_length => 8",
            "algorithm => \"aes-256-cbc\" mode => \"encrypt\" key => \"k\" iv_random_length => 16",
            "algorithm => \"aes-128-cbc\" mode => \"encrypt\" key => \"k\"",
            "algorithm => \"aes-128-cbc\" mode => \"encrypt\" key => \"k\" iv => \"1234567890123456\"",
            "algorithm => \"aes-128-cbc\" mode => \"sign\" key => \"k\" iv_random_length => 16",
            "algorithm => \"aes-128-ecb\" mode => \"encrypt\" key => \"k\" base64 => false",
        ] {
            assert!(run_with("v8", &format!("cipher {{ {options} }}"), &[]).is_err(), "{options}");
        }
    }
}
