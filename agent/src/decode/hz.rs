//! HZ-GB-2312 (RFC 1843), which encoding_rs does not know: Chinese in seven bits between `~{` and `~}`.

/// A line as text; what is not valid becomes U+FFFD.
pub(super) fn decode(bytes: &[u8]) -> String {
    // The same characters with their high bits set are GBK.
    let mut gbk = Vec::with_capacity(bytes.len());
    let (mut left, mut chinese) = (bytes, false);
    while let [first, rest @ ..] = left {
        match (chinese, first, rest.first()) {
            (true, b'~', Some(b'}')) | (false, b'~', Some(b'{')) => {
                chinese = !chinese;
                left = &rest[1..];
                continue;
            }
            (false, b'~', Some(b'~')) => {
                gbk.push(b'~');
                left = &rest[1..];
                continue;
            }
            (true, 0x21..=0x7e, Some(second @ 0x21..=0x7e)) => {
                gbk.extend([first | 0x80, second | 0x80]);
                left = &rest[1..];
                continue;
            }
            // Nothing in it has eight bits.
            (_, 0x80.., _) => gbk.push(0xff),
            _ => gbk.push(*first),
        }
        left = rest;
    }
    encoding_rs::GBK.decode_without_bom_handling(&gbk).0.into_owned()
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn chinese_stands_between_its_marks() {
        for (bytes, text) in [
            (b"plain ~~ text".as_slice(), "plain ~ text"),
            (b"~{<:Ky2;S{~}", "己所不欲"),
            (b"a ~{VP~} b ~{9z", "a 中 b 国"),
            (b"~{V", "V"),
            (b"x\xd6\xd0~", "x\u{fffd}\u{fffd}~"),
        ] {
            assert_eq!(decode(bytes), text);
        }
    }
}
