//! A hint, of a version, of when its chain is worth looking at: to put a list where single links
//! have piled up ([`super::stage`]).

/// How long a walk from a version may be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Depth {
    /// Single links below since the last list.
    pub(super) links: u32,
    /// With so many it is worth looking at the chain again.
    pub(super) look_at: u32,
}

impl Depth {
    /// Of the version above.
    pub(super) fn next(self) -> Self {
        let links = self.links.saturating_add(1);
        Self { links, ..self }
    }

    pub(super) fn pack(self) -> u64 {
        u64::from(self.look_at) << u32::BITS | u64::from(self.links)
    }

    pub(super) fn unpack(word: u64) -> Self {
        Self {
            links: word as u32,
            look_at: (word >> u32::BITS) as u32,
        }
    }
}
