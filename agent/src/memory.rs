//! What the C library's allocator keeps of freed memory.
//!
//! librdkafka makes and frees buffers of a megabyte for each request. By default glibc hands such memory back to the system
//! each time, and every page of it has to be found and emptied again: a tenth of all time at full speed.
#![allow(unsafe_code)]

/// Freed memory up to here is kept, for each of the few threads that allocate. As large a piece comes from the system and
/// goes back to it.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: libc::c_int = 4 << 20;

/// From now on freed memory is kept for what comes next.
pub(crate) fn keep() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: two numbers are set, under the allocator's own lock; it takes or refuses them.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        libc::mallopt(libc::M_MMAP_THRESHOLD, KEPT);
    }
}

/// Hands back what is free. It takes a moment: for when there is nothing to do.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: only memory that nobody uses is touched, under the allocator's own lock.
    unsafe {
        libc::malloc_trim(0);
    }
}
