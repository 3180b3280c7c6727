//! Who ended before whom began, and stands after it all the same.

use super::order::{Node, Order};

/// Pairs of transactions of which the first ended before the second began, and has a later place in
/// the order of versions: for each second one, the first one with the latest place. O(n log n), for
/// sorting by ticks.
pub(super) fn inversions(order: &Order<'_>) -> Vec<(Node, Node)> {
    let mut begun = order.nodes.clone();
    begun.sort_unstable_by_key(|node| order.record(*node).begun);
    let mut ended = order.nodes.clone();
    ended.sort_unstable_by_key(|node| order.ended(*node));
    let mut ended = ended.into_iter().peekable();
    let mut latest: Option<Node> = None;
    let mut inversions = Vec::new();
    for node in begun {
        let now = order.record(node).begun;
        while let Some(past) = ended.next_if(|past| order.ended(*past) < now) {
            if latest.is_none_or(|latest| order.point(past) > order.point(latest)) {
                latest = Some(past);
            }
        }
        // Two that read one version may stand in either order.
        if let Some(latest) = latest.filter(|latest| order.point(*latest) > order.point(node)) {
            inversions.push((latest, node));
        }
    }
    inversions
}
