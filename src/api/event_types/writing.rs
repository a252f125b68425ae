//! How event types are written down: what stands there is read, what is to stand there is made of it, its schema is compiled and
//! its sample held against it on another thread in the account's turn, and then the commit thread writes it, if what was read
//! still stands there. What stays true: the commit thread compiles nothing, and whoever changes a type at the same time is not
//! written over.

use std::sync::Arc;

use crate::api::Api;
use crate::api::access::auth::Tenant;
use crate::api::http::problem::Problem;
use crate::domain::Invalid;
use crate::domain::audit::Deed;
use crate::domain::event_type::OwnType;
use crate::domain::id::AccountNumber;
use crate::domain::schema::Schema;
use crate::store::{KnownType, Load, Registry, Written};

/// How often it is tried against others who write at the same time.
const TRIES: usize = 5;

/// A type that is to be written down, and what stood there when it was made.
pub type Planned = (Option<Arc<KnownType>>, OwnType);

/// Writes down what `plan` makes of what there is, all of it or nothing; `deed` says what was done, none where nothing changes.
/// `place` says of which type it is that is wrong. Gives what stands there now.
pub async fn write(
    api: &Api,
    tenant: &Tenant,
    plan: impl Fn(&Registry) -> Result<Vec<Planned>, Problem>,
    deed: impl Fn(&[Planned]) -> Option<Deed>,
    place: impl Fn(&str, Invalid) -> Invalid,
) -> Result<Vec<OwnType>, Problem> {
    let account = tenant.account().number;
    for _ in 0..TRIES {
        let planned = plan(&api.store.registry())?;
        let deed = deed(&planned);
        let written = prepared(api, account, planned, &place).await?;
        let limit = limit(api, tenant);
        let bytes = written.iter().map(|one| one.own.bytes()).sum();
        let load = Load { bytes, deliveries: written.len(), ..Load::of(account) };
        let put = api.change_of(tenant, load, move |staging| {
            let put = staging.put_event_types(account, written, limit)?;
            Ok((deed.filter(|_| put.is_some()), put))
        });
        if let Some(put) = put.await? {
            return Ok(put);
        }
    }
    Err(Problem::wrong_state("it was changed by somebody else at the same time; look at it and ask again"))
}

/// Says what [`write()`] would refuse, and writes nothing down.
pub async fn try_out(
    api: &Api,
    tenant: &Tenant,
    plan: impl Fn(&Registry) -> Result<Vec<Planned>, Problem>,
    place: impl Fn(&str, Invalid) -> Invalid,
) -> Result<(), Problem> {
    let account = tenant.account().number;
    let planned = plan(&api.store.registry())?;
    let written = prepared(api, account, planned, &place).await?;
    let limit = limit(api, tenant);
    Ok(api.store.registry().vet_event_types(account, &written, limit)?)
}

/// How many types the account may have, as that is now.
fn limit(api: &Api, tenant: &Tenant) -> usize {
    let registry = api.store.registry();
    let account = registry.account(tenant.account().number).map_or(tenant.account(), AsRef::as_ref);
    api.settings().quotas.of(account).event_types_max
}

/// Those that are planned with their schemas, compiled one by one in the account's turn.
async fn prepared(
    api: &Api,
    account: AccountNumber,
    planned: Vec<Planned>,
    place: &impl Fn(&str, Invalid) -> Invalid,
) -> Result<Vec<Written>, Problem> {
    let mut written = Vec::with_capacity(planned.len());
    for (before, own) in planned {
        let name = own.name.clone();
        let compiled = api.read(account, move || compiled(before, own)).await?;
        written.push(compiled.map_err(|invalid| place(&name, invalid))?);
    }
    Ok(written)
}

/// The type with its schema, which is compiled if it is another than before.
fn compiled(before: Option<Arc<KnownType>>, own: OwnType) -> Result<Written, Invalid> {
    own.vet_bytes()?;
    let known = before.as_ref().filter(|before| before.own().schema == own.schema);
    let schema = match (&own.schema, known.and_then(|known| known.schema())) {
        (None, _) => None,
        (Some(_), Some(schema)) => Some(schema.clone()),
        (Some(text), None) => Some(Arc::new(Schema::compile(text).map_err(|why| Invalid::new("schema", why))?)),
    };
    if let (Some(schema), Some(sample)) = (&schema, &own.sample)
        && let Some(fault) = schema.faults(sample.as_bytes()).first()
    {
        return Err(Invalid::new("sample", format!("does not fit the schema: {fault}; change one of the two")));
    }
    Ok(Written { before, own, schema })
}
