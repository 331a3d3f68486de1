//! Memory that ends where nothing may be read: what reads past a text stops there.
#![allow(unsafe_code)]

use std::ptr::null_mut;

/// Room for texts; longer ones are not guarded.
const ROOM: usize = 1 << 16;
/// As large as a page of any machine.
const PAGE: usize = 1 << 14;

/// Memory with a page before and one behind that nobody may touch.
pub(crate) struct Guarded {
    base: *mut u8,
}

impl Guarded {
    pub(crate) fn new() -> Guarded {
        let length = ROOM + 2 * PAGE;
        // SAFETY: new memory of nobody's, of which the part in the middle is then made ours to use.
        let base = unsafe {
            let (flags, none) = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, libc::PROT_NONE);
            let base = libc::mmap(null_mut(), length, none, flags, -1, 0);
            assert_ne!(base, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
            let middle = base.byte_add(PAGE);
            assert_eq!(libc::mprotect(middle, ROOM, libc::PROT_READ | libc::PROT_WRITE), 0);
            base.cast()
        };
        Guarded { base }
    }

    /// A copy of a text right before the page behind or, if not `at_end`, right after the one before.
    pub(crate) fn copy<'a>(&'a mut self, text: &'a [u8], at_end: bool) -> &'a [u8] {
        if text.len() > ROOM {
            return text;
        }
        let offset = PAGE + if at_end { ROOM - text.len() } else { 0 };
        // SAFETY: the part in the middle is as long as `ROOM`, which the text is not longer than, and is borrowed with
        // `self` for as long as the copy.
        let place = unsafe { std::slice::from_raw_parts_mut(self.base.add(offset), text.len()) };
        place.copy_from_slice(text);
        place
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: what `new` got, which nobody uses any more.
        unsafe { libc::munmap(self.base.cast(), ROOM + 2 * PAGE) };
    }
}
