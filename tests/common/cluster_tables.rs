//! The names of a cluster's tables, in their order.

pub const TABLES: [&str; 10] = [
    "cluster",
    "config",
    "extension",
    "network",
    "node",
    "resource",
    "secret",
    "service",
    "task",
    "volume",
];
