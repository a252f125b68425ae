//! The nodes that share a store in a database: which of them owns it, and who stands by.

use actix_web::{HttpResponse, get, post, web};
use serde::Serialize;

use crate::api::Api;
use crate::api::access::auth::{Admin, May};
use crate::api::http::page::PageReply;
use crate::api::http::problem::Problem;
use crate::api::http::reply::Reply;
use crate::domain::time::{UnixMs, rfc3339};
use crate::store::Node;

/// One that stands by says so each second or so: who has not for so long is not there.
const GONE_MS: u64 = 10_000;
/// The state of the one that owns the store.
const OWNER: &str = "owner";
/// And of one that could.
const STANDING_BY: &str = "standing_by";
/// And of one that was there once.
const GONE: &str = "gone";
/// All states.
pub const STATES: [&str; 3] = [OWNER, STANDING_BY, GONE];

/// A node that shares the store with others.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Node)]
pub struct NodeView {
    /// Its name (`cluster.node`).
    pub name: String,
    /// `owner`, `standing_by` or `gone`.
    pub state: &'static str,
    /// Where the other nodes find it (`cluster.advertise`); left out if they do not.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub address: String,
    /// Milliseconds for which the owner's lease is good yet, unless it is renewed, as it is each second; left out of others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub lease_ms: Option<u64>,
    /// Attempts that it made for the owner since it came to do so; left out of nodes that make none (`cluster.carries`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub carried: Option<u64>,
    /// When it was there last.
    pub seen_at: String,
}

/// `owner`, `standing_by` or `gone`.
pub fn state_of(node: &Node) -> &'static str {
    match (node.is_owner, node.seen_ms < GONE_MS) {
        (true, _) => OWNER,
        (false, true) => STANDING_BY,
        (false, false) => GONE,
    }
}

impl NodeView {
    fn of(node: Node, now: UnixMs) -> Self {
        let state = state_of(&node);
        let seen_ms = if node.is_owner { 0 } else { node.seen_ms };
        Self {
            name: node.name,
            state,
            address: node.address,
            lease_ms: node.is_owner.then_some(node.lease_ms),
            carried: None,
            seen_at: rfc3339(now.saturating_sub(seen_ms)),
        }
    }
}

/// List the nodes that share the store
///
/// By name. One of them owns the store and answers this, whichever was asked; the others stand by. The list is empty where the store
/// is kept in a directory. A node that has not been there for a week is forgotten when another one goes on.
#[utoipa::path(
    operation_id = "server.nodes.list", security(("key" = ["admin"])),
    responses((status = 200, description = "All of them", body = PageReply<NodeView>))
)]
#[get("/api/v1/nodes")]
pub async fn list(_: May<Admin>, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(PageReply::whole(all(&api).await?)))
}

/// Let another node own the store
///
/// What the node is at ends in order, as in a stop: attempts that are out are waited for, events are taken meanwhile, and who comes in between
/// is served by the next owner. The node stands by from then on, and for a minute takes nothing that another one could take: time to stop it,
/// or to look at how the others do. A node that owns nothing stays as it is.
#[utoipa::path(
    operation_id = "server.nodes.drain", security(("key" = ["admin"])),
    params(("name" = String, Path, description = "Its name (`cluster.node`)")),
    responses(
        (status = 200, description = "The node, as it stood when this was asked", body = Reply<NodeView>),
        (status = 409, description = "No other node is there that could own the store"),
    )
)]
#[post("/api/v1/nodes/{name}/drain")]
pub async fn drain(tenant: May<Admin>, api: web::Data<Api>, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let mut nodes = all(&api).await?;
    if nodes.is_empty() {
        return Err(Problem::wrong_state(
            "this server shares its store with no other node: store.url names no database",
        ));
    }
    let others_wait = nodes.iter().any(|node| node.state == STANDING_BY);
    let at = nodes.iter().position(|node| node.name == *name).ok_or_else(|| Problem::not_found("node"))?;
    let node = nodes.swap_remove(at);
    if node.state == OWNER {
        if !others_wait {
            return Err(Problem::wrong_state("no other node stands by that could own the store: start one first"));
        }
        api.store.note_drained(tenant.actor(), node.name.clone()).await?;
        api.draining.notify_one();
    }
    Ok(Reply::ok(node))
}

/// All nodes, by name.
pub async fn all(api: &Api) -> Result<Vec<NodeView>, Problem> {
    let (store, now) = (api.store.clone(), api.clock.now());
    let nodes = web::block(move || store.nodes()).await??;
    let of_all = api.outbound.carried().nodes;
    let carried = |name: &str| of_all.iter().find(|(node, _)| node == name).map(|(_, attempts)| *attempts);
    let shown = nodes.into_iter().map(|node| NodeView { carried: carried(&node.name), ..NodeView::of(node, now) });
    Ok(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_owns_the_store_is_there_and_who_has_not_said_so_for_long_is_not() {
        let node =
            |is_owner, seen_ms| Node { name: "one".into(), address: String::new(), is_owner, lease_ms: 3_000, seen_ms };
        let shown = |is_owner, seen_ms| {
            let shown = NodeView::of(node(is_owner, seen_ms), 100_000);
            (shown.state, shown.lease_ms, shown.seen_at)
        };
        assert_eq!(shown(true, 99_000), ("owner", Some(3_000), rfc3339(100_000)));
        assert_eq!(shown(false, 900), ("standing_by", None, rfc3339(99_100)));
        assert_eq!(shown(false, 10_000), ("gone", None, rfc3339(90_000)));
    }
}
