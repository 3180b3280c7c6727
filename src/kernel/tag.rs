//! Pointers that carry 16 bits of something else. User space ends at 47 or 48 bits unless a mapping
//! asks for more; the words of the hash rely on it, too ([`super::point`]).

/// Bits of an address.
const ADDRESS_BITS: u32 = 48;
const ADDRESS: usize = (1 << ADDRESS_BITS) - 1;

/// A pointer with a tag. Panics on an address of more than 48 bits.
#[inline]
pub(super) fn tagged<T>(pointer: *mut T, tag: u16) -> *mut T {
    assert_eq!(pointer.addr() & !ADDRESS, 0, "no room for a tag");
    pointer.map_addr(|address| address | usize::from(tag) << ADDRESS_BITS)
}

/// The pointer without its tag.
#[inline]
pub(super) fn pointer<T>(tagged: *mut T) -> *mut T {
    tagged.map_addr(|address| address & ADDRESS)
}

/// The tag of a pointer.
#[inline]
pub(super) fn tag<T>(tagged: *mut T) -> u16 {
    (tagged.addr() >> ADDRESS_BITS) as u16
}
