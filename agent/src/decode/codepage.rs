//! Encodings of one byte a character that browsers never knew, so that encoding_rs does not either: IBM's code pages,
//! EBCDIC, and ISO 8859-1 and -9 without Windows' additions. The tables are those of the Unicode consortium.

use std::sync::OnceLock;

/// An encoding of one byte a character.
#[derive(Debug, PartialEq, Eq)]
pub struct CodePage {
    /// Filebeat's name.
    name: &'static str,
    /// The bytes below 128, where they are not ASCII.
    lower: Option<&'static [u8; 256]>,
    /// The characters from 128 on; beyond its end a byte is the character of that number.
    upper: &'static str,
    /// Characters that differ from the tables.
    except: &'static [(u8, char)],
    /// All of that as one table, made when it is first used.
    table: OnceLock<Vec<char>>,
}

/// EBCDIC 037 as ISO 8859-1.
const EBCDIC_037: [u8; 256] = [
    0x00, 0x01, 0x02, 0x03, 0x9C, 0x09, 0x86, 0x7F, 0x97, 0x8D, 0x8E, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12,
    0x13, 0x9D, 0x85, 0x08, 0x87, 0x18, 0x19, 0x92, 0x8F, 0x1C, 0x1D, 0x1E, 0x1F, 0x80, 0x81, 0x82, 0x83, 0x84, 0x0A,
    0x17, 0x1B, 0x88, 0x89, 0x8A, 0x8B, 0x8C, 0x05, 0x06, 0x07, 0x90, 0x91, 0x16, 0x93, 0x94, 0x95, 0x96, 0x04, 0x98,
    0x99, 0x9A, 0x9B, 0x14, 0x15, 0x9E, 0x1A, 0x20, 0xA0, 0xE2, 0xE4, 0xE0, 0xE1, 0xE3, 0xE5, 0xE7, 0xF1, 0xA2, 0x2E,
    0x3C, 0x28, 0x2B, 0x7C, 0x26, 0xE9, 0xEA, 0xEB, 0xE8, 0xED, 0xEE, 0xEF, 0xEC, 0xDF, 0x21, 0x24, 0x2A, 0x29, 0x3B,
    0xAC, 0x2D, 0x2F, 0xC2, 0xC4, 0xC0, 0xC1, 0xC3, 0xC5, 0xC7, 0xD1, 0xA6, 0x2C, 0x25, 0x5F, 0x3E, 0x3F, 0xF8, 0xC9,
    0xCA, 0xCB, 0xC8, 0xCD, 0xCE, 0xCF, 0xCC, 0x60, 0x3A, 0x23, 0x40, 0x27, 0x3D, 0x22, 0xD8, 0x61, 0x62, 0x63, 0x64,
    0x65, 0x66, 0x67, 0x68, 0x69, 0xAB, 0xBB, 0xF0, 0xFD, 0xFE, 0xB1, 0xB0, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70,
    0x71, 0x72, 0xAA, 0xBA, 0xE6, 0xB8, 0xC6, 0xA4, 0xB5, 0x7E, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xA1,
    0xBF, 0xD0, 0xDD, 0xDE, 0xAE, 0x5E, 0xA3, 0xA5, 0xB7, 0xA9, 0xA7, 0xB6, 0xBC, 0xBD, 0xBE, 0x5B, 0x5D, 0xAF, 0xA8,
    0xB4, 0xD7, 0x7B, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0xAD, 0xF4, 0xF6, 0xF2, 0xF3, 0xF5, 0x7D,
    0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F, 0x50, 0x51, 0x52, 0xB9, 0xFB, 0xFC, 0xF9, 0xFA, 0xFF, 0x5C, 0xF7, 0x53, 0x54,
    0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xB2, 0xD4, 0xD6, 0xD2, 0xD3, 0xD5, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36,
    0x37, 0x38, 0x39, 0xB3, 0xDB, 0xDC, 0xD9, 0xDA, 0x9F,
];

/// Every code page.
static PAGES: [CodePage; 14] = [
    CodePage {
        name: "cp437",
        lower: None,
        upper: "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp850",
        lower: None,
        upper: "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp852",
        lower: None,
        upper: "ÇüéâäůćçłëŐőîŹÄĆÉĹĺôöĽľŚśÖÜŤťŁ×čáíóúĄąŽžĘę¬źČş«»░▒▓│┤ÁÂĚŞ╣║╗╝Żż┐└┴┬├─┼Ăă╚╔╩╦╠═╬¤đĐĎËďŇÍÎě┘┌█▄ŢŮ▀ÓßÔŃńňŠšŔÚŕŰýÝţ´\u{ad}˝˛ˇ˘§÷¸°¨˙űŘř■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp855",
        lower: None,
        upper: "ђЂѓЃёЁєЄѕЅіІїЇјЈљЉњЊћЋќЌўЎџЏюЮъЪаАбБцЦдДеЕфФгГ«»░▒▓│┤хХиИ╣║╗╝йЙ┐└┴┬├─┼кК╚╔╩╦╠═╬¤лЛмМнНоОп┘┌█▄Пя▀ЯрРсСтТуУжЖвВьЬ№\u{ad}ыЫзЗшШэЭщЩчЧ§■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp858",
        lower: None,
        upper: "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp860",
        lower: None,
        upper: "ÇüéâãàÁçêÊèÍÔìÃÂÉÀÈôõòÚùÌÕÜ¢£Ù₧ÓáíóúñÑªº¿Ò¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp862",
        lower: None,
        upper: "אבגדהוזחטיךכלםמןנסעףפץצקרשת¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp863",
        lower: None,
        upper: "ÇüéâÂà¶çêëèïî‗À§ÉÈÊôËÏûù¤ÔÜ¢£ÙÛƒ¦´óú¨¸³¯Î⌐¬½¼¾«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage {
        name: "cp865",
        lower: None,
        upper: "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø₧ƒáíóúñÑªº¿⌐¬½¼¡«¤░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}",
        except: &[],
        table: OnceLock::new(),
    },
    CodePage { name: "iso8859-1", lower: None, upper: "", except: &[], table: OnceLock::new() },
    CodePage {
        name: "iso8859-9",
        lower: None,
        upper: "",
        except: &[(0xD0, 'Ğ'), (0xDD, 'İ'), (0xDE, 'Ş'), (0xF0, 'ğ'), (0xFD, 'ı'), (0xFE, 'ş')],
        table: OnceLock::new(),
    },
    CodePage { name: "ebcdic-037", lower: Some(&EBCDIC_037), upper: "", except: &[], table: OnceLock::new() },
    CodePage {
        name: "ebcdic-1040",
        lower: Some(&EBCDIC_037),
        upper: "",
        except: &[(0x9F, '€')],
        table: OnceLock::new(),
    },
    CodePage {
        name: "ebcdic-1047",
        lower: Some(&EBCDIC_037),
        upper: "",
        except: &[(0x5F, '^'), (0xAD, '['), (0xB0, '¬'), (0xBA, 'Ý'), (0xBB, '¨'), (0xBD, ']')],
        table: OnceLock::new(),
    },
];

impl CodePage {
    /// The code page of one of Filebeat's names.
    pub fn named(name: &str) -> Option<&'static CodePage> {
        PAGES.iter().find(|page| page.name == name)
    }

    fn character(&self, byte: u8) -> char {
        if let Some((_, character)) = self.except.iter().find(|(other, _)| *other == byte) {
            return *character;
        }
        if let Some(table) = self.lower {
            return char::from(table[usize::from(byte)]);
        }
        match byte.checked_sub(128) {
            Some(index) => self.upper.chars().nth(index.into()).unwrap_or(char::from(byte)),
            None => char::from(byte),
        }
    }

    /// Every byte's character.
    fn table(&self) -> &[char] {
        self.table.get_or_init(|| (0..=u8::MAX).map(|byte| self.character(byte)).collect())
    }

    /// Bytes as text.
    pub fn decode(&self, bytes: &[u8]) -> String {
        let table = self.table();
        bytes.iter().map(|byte| table[usize::from(*byte)]).collect()
    }

    /// Text in this encoding; `None` if it has a character that the encoding lacks.
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let table = self.table();
        let byte = |wanted| table.iter().position(|character| *character == wanted).map(|index| index as u8);
        text.chars().map(byte).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for page in &PAGES {
            let bytes: Vec<u8> = (0..=u8::MAX).collect();
            let text = page.decode(&bytes);
            assert_eq!(text.chars().count(), 256, "{}", page.name);
            assert_eq!(page.encode(&text).unwrap(), bytes, "{}", page.name);
        }
    }

    #[test]
    fn samples() {
        let decoded = |name: &str, bytes: &[u8]| CodePage::named(name).unwrap().decode(bytes);
        assert_eq!(decoded("cp437", &[0x81, 0x9B, 0xE1]), "ü¢ß");
        assert_eq!(decoded("cp858", &[0xD5]), "€");
        assert_eq!(decoded("ebcdic-037", &[0xC8, 0x85, 0x93, 0x93, 0x96, 0x25]), "Hello\n");
        assert_eq!(decoded("ebcdic-1047", &[0xAD, 0xF1, 0xBD]), "[1]");
        assert_eq!(decoded("iso8859-9", &[0xFE, 0x80]), "ş\u{80}");
    }
}
