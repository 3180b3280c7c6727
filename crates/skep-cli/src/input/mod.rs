//! Reads a cluster from two CSV files: its nodes and its pods.
//!
//! Everything is read and checked before anything starts, and the first fault ends the reading
//! with one line that says where it is and what to do.

pub mod error;
mod nodes;
mod pods;
mod sheet;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;
use std::sync::Arc;

use crate::cluster::Cluster;
use error::InputError;
use sheet::{Column, Row};

/// Reads and checks both files.
pub fn read(nodes: &Path, pods: &Path) -> Result<Cluster, InputError> {
    let mut cluster = nodes::read(nodes)?;
    pods::read(pods, &mut cluster)?;
    cluster.sort_tasks();
    Ok(cluster)
}

/// The names that a file has used, and the line that each was used on.
#[derive(Default)]
struct Names {
    lines: HashMap<Arc<str>, u64>,
}

impl Names {
    /// The row's name, which no row above has.
    fn unique(&mut self, row: &Row<'_>, column: Column) -> Result<Arc<str>, InputError> {
        let name: Arc<str> = row.name(column)?.into();
        match self.lines.entry(Arc::clone(&name)) {
            Entry::Vacant(free) => {
                free.insert(row.line);
                Ok(name)
            }
            Entry::Occupied(used) => {
                let problem = format!("a name that line {} has too; each must differ", used.get());
                Err(row.fault(column, problem))
            }
        }
    }
}
