//! A hint, of a version, of when its chain is worth looking at: to put a list where single links
//! have piled up ([`super::stage`]). It takes 16 bits.

/// Links that are counted; more are as good as so many.
const LINKS: u16 = (1 << LINK_BITS) - 1;
const LINK_BITS: u32 = 11;
/// A chain that is longer than half of that is looked at each time that it has got half of that
/// longer.
const LOOK_AT_MAX: u32 = 1 << 10;

/// How long a walk from a version may be: below, the single links since the last list; above those
/// bits 0, or one more than the power of two of links with which it is worth looking again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Depth(pub(super) u16);

impl Depth {
    fn of(links: u32, look_at: u32) -> Self {
        let power = look_at.min(LOOK_AT_MAX).next_power_of_two().ilog2() + 1;
        Self((power << LINK_BITS | links) as u16)
    }

    /// Of a version whose chain was looked at, which is so long: it is to be looked at again when
    /// it is two to three times as long, or, if that is sooner, half of [`LOOK_AT_MAX`] longer.
    pub(super) fn whole(links: u32) -> Self {
        let links = links.min(LOOK_AT_MAX / 2);
        Self::of(links, 2 * links)
    }

    /// Of a version above a list of so many.
    pub(super) fn listed(versions: usize) -> Self {
        Self::of(0, u32::try_from(versions).unwrap_or(u32::MAX))
    }

    /// Of the version above.
    #[inline]
    pub(super) fn next(self) -> Self {
        Self(self.0 + u16::from(self.links() < LINKS))
    }

    /// Single links below since the last list.
    #[inline]
    pub(super) fn links(self) -> u16 {
        self.0 & LINKS
    }

    /// Whether it is worth looking at the chain, of which fewer than `links_max` links do not
    /// matter.
    #[inline]
    pub(super) fn exceeds(self, links_max: u16) -> bool {
        let look_at = (1 << (self.0 >> LINK_BITS)) / 2;
        self.links() >= links_max.max(look_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_looked_at_again_at_last() {
        let mut depths = vec![Depth::default(), Depth::listed(5), Depth::listed(1 << 40)];
        depths.extend((0..2 * LOOK_AT_MAX).map(Depth::whole));
        for depth in depths {
            assert!(!depth.exceeds(4), "just looked at");
            let next = (0..2 * LINKS).fold(depth, |depth, _| depth.next());
            assert_eq!(next.links(), LINKS);
            assert!(next.exceeds(4), "looked at again sooner or later");
        }
    }

    #[test]
    fn a_chain_that_was_looked_at_is_looked_at_again_when_it_is_twice_as_long() {
        for links in [3, 64, 500] {
            let mut depth = Depth::whole(links);
            let more = (0..).take_while(|_| {
                let goes_on = !depth.exceeds(4);
                depth = depth.next();
                goes_on
            });
            let more = more.count() as u32;
            assert!((links..=3 * links).contains(&more), "{more} after {links}");
        }
    }
}
