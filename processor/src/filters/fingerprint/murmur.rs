//! MurmurHash3 by Austin Appleby: the 32-bit one, and the 128-bit one for 64-bit machines.

/// The seed that Logstash's fingerprint takes for 128 bits.
const SEED_128: u64 = 2;

/// The hash of 32 bits with seed 0.
pub(in crate::filters) fn hash32(data: &[u8]) -> u32 {
    let scrambled = |block: u32| block.wrapping_mul(0xcc9e_2d51).rotate_left(15).wrapping_mul(0x1b87_3593);
    let mut hash = 0_u32;
    let (blocks, tail) = data.as_chunks::<4>();
    for block in blocks {
        hash ^= scrambled(u32::from_le_bytes(*block));
        hash = hash.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    if !tail.is_empty() {
        let mut block = [0; 4];
        block[..tail.len()].copy_from_slice(tail);
        hash ^= scrambled(u32::from_le_bytes(block));
    }
    hash ^= data.len() as u32;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// The hash of 128 bits, both halves with their low byte first.
pub(in crate::filters) fn hash128(data: &[u8]) -> [u8; 16] {
    let (mut first, mut second) = (SEED_128, SEED_128);
    let (blocks, tail) = data.as_chunks::<16>();
    for block in blocks {
        let (low, high) = halves(block);
        first = (first ^ scrambled_first(low)).rotate_left(27).wrapping_add(second);
        first = first.wrapping_mul(5).wrapping_add(0x52dc_e729);
        second = (second ^ scrambled_second(high)).rotate_left(31).wrapping_add(first);
        second = second.wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    let mut block = [0; 16];
    block[..tail.len()].copy_from_slice(tail);
    let (low, high) = halves(&block);
    let length = data.len() as u64;
    first ^= scrambled_first(low) ^ length;
    second ^= scrambled_second(high) ^ length;
    first = first.wrapping_add(second);
    second = second.wrapping_add(first);
    first = finished(first);
    second = finished(second);
    first = first.wrapping_add(second);
    second = second.wrapping_add(first);
    let mut out = [0; 16];
    out[..8].copy_from_slice(&first.to_le_bytes());
    out[8..].copy_from_slice(&second.to_le_bytes());
    out
}

const FACTOR_1: u64 = 0x87c3_7b91_1142_53d5;
const FACTOR_2: u64 = 0x4cf5_ad43_2745_937f;

fn scrambled_first(block: u64) -> u64 {
    block.wrapping_mul(FACTOR_1).rotate_left(31).wrapping_mul(FACTOR_2)
}

fn scrambled_second(block: u64) -> u64 {
    block.wrapping_mul(FACTOR_2).rotate_left(33).wrapping_mul(FACTOR_1)
}

fn halves(block: &[u8; 16]) -> (u64, u64) {
    let number = u128::from_le_bytes(*block);
    (number as u64, (number >> 64) as u64)
}

fn finished(mut half: u64) -> u64 {
    half = (half ^ (half >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    half = (half ^ (half >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    half ^ (half >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_reference() {
        for (text, hash) in [("", 0), ("hello", 613_153_351), ("中文", 3_676_729_751)] {
            assert_eq!(hash32(text.as_bytes()), hash, "{text}");
        }
        let hex = |data: &[u8]| hash128(data).map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(hex(b"123.123.123.123"), "41cbc4056eed401d091dfbeabf7ea9e0");
        assert_eq!(hex(&123_i32.to_le_bytes()), "286816c693ac410ed63e1430dcd6f6fe");
    }
}
