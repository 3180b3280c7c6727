//! The machines of the model: how long a cache line takes from one core to another.
//!
//! The times are medians that others measured with two threads that exchange a line by
//! compare-and-swap (github.com/nviennot/core-to-core-latency, README of commit 96a943a), single
//! and dual sockets. They were measured alone: on a machine whose interconnect is busy they are
//! longer.

/// A machine of the model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Machine {
    /// What it is like.
    pub name: &'static str,
    /// Cores that share a last-level cache.
    pub group_cores: usize,
    /// Cores in a socket.
    pub socket_cores: usize,
    /// Nanoseconds between cores of a group.
    pub group_nanos: f64,
    /// Nanoseconds between groups of a socket.
    pub socket_nanos: f64,
    /// Nanoseconds between sockets.
    pub machine_nanos: f64,
}

/// One last-level cache a socket: Xeon Platinum 8375C (Ice Lake), 51 ns in a socket and 108 between
/// two. Its sockets are taken to have 64 cores, which those do not: so that two make 128.
pub const MESH: Machine = Machine {
    name: "mesh",
    group_cores: 64,
    socket_cores: 64,
    group_nanos: 51.0,
    socket_nanos: 51.0,
    machine_nanos: 108.0,
};

/// Eight cores a last-level cache: EPYC 7R13 (Milan), 23 ns in a group of eight, 107 in a socket,
/// 197 between two. Its sockets are taken to have 64 cores, as the largest of its generation.
pub const CHIPLETS: Machine = Machine {
    name: "chiplets",
    group_cores: 8,
    socket_cores: 64,
    group_nanos: 23.0,
    socket_nanos: 107.0,
    machine_nanos: 197.0,
};

/// All of them.
pub const MACHINES: [Machine; 2] = [MESH, CHIPLETS];

impl Machine {
    /// Nanoseconds that a line takes from one core to another; from a core to itself, to be
    /// written: until those who read it have let it go, taken to be near.
    #[must_use]
    pub fn between(&self, source: usize, target: usize) -> f64 {
        if source / self.group_cores == target / self.group_cores {
            self.group_nanos
        } else if source / self.socket_cores == target / self.socket_cores {
            self.socket_nanos
        } else {
            self.machine_nanos
        }
    }

    /// The same on average, over pairs of different ones of so many cores; 0 for fewer than two.
    #[must_use]
    pub fn mean(&self, cores: usize) -> f64 {
        let pairs = (0..cores).flat_map(|one| (0..cores).map(move |other| (one, other)));
        let pairs = pairs.filter(|(one, other)| one != other);
        let sum: f64 = pairs.map(|(one, other)| self.between(one, other)).sum();
        sum / (cores * cores.saturating_sub(1)).max(1) as f64
    }

    /// How often a second so many cores can write one line in turns, at random: the ceiling of any
    /// operation that writes a line which all write.
    #[must_use]
    pub fn line_rate(&self, cores: usize) -> f64 {
        1e9 / self.mean(cores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_farther_the_longer() {
        for machine in MACHINES {
            assert!(machine.mean(8) <= machine.mean(32));
            assert!(machine.mean(32) < machine.mean(128));
            assert!(machine.mean(128) < machine.machine_nanos);
            assert_eq!(machine.between(3, 3), machine.group_nanos);
            assert_eq!(machine.between(0, 127), machine.machine_nanos);
        }
        assert_eq!(CHIPLETS.between(7, 8), CHIPLETS.socket_nanos);
        assert_eq!(MESH.mean(2), MESH.group_nanos);
        assert_eq!(MESH.mean(1), 0.0);
    }
}
