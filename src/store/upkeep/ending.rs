//! Ends many open deliveries of a webhook, some a step.

use crate::domain::delivery::Delivery;
use crate::domain::id::WebhookNumber;
use crate::store::duty::STEP_ROWS_MAX;
use crate::store::error::StoreError;
use crate::store::layout::{self, Key, OPEN};
use crate::store::rows;
use crate::store::staging::Staging;

/// Cancels some open deliveries of a webhook whose keys lie before `end`; says whether more may be left.
pub fn cancel_some(
    staging: &mut Staging<'_>,
    webhook: WebhookNumber,
    end: &Key,
    reason: &str,
) -> Result<bool, StoreError> {
    let Some(open) = open_before(staging, webhook, end, STEP_ROWS_MAX)? else { return Ok(false) };
    for delivery in open {
        staging.cancel(delivery, reason)?;
    }
    Ok(true)
}

/// Up to `limit` open deliveries of a webhook in one of the trees, with keys before `end`, as this group leaves them.
/// `None` if there was none before it.
pub fn open_before(
    staging: &Staging<'_>,
    webhook: WebhookNumber,
    end: &Key,
    limit: usize,
) -> Result<Option<Vec<Delivery>>, StoreError> {
    for tree in OPEN {
        let (mut open, mut some) = (Vec::new(), false);
        let start = layout::number(webhook).to_vec();
        if start >= *end {
            break;
        }
        for key in staging.trees().first(tree, start..end.clone(), limit).keys().take(limit) {
            let key = key?;
            // One that this group has settled has moved on, or has one more attempt; one that cannot be read is put
            // aside: then the rest is met again.
            some = true;
            let delivery = staging
                .get(tree, &key)
                .and_then(|value| value.map(|value| rows::delivery_row(tree, &key, &value)).transpose());
            open.extend(staging.trees().readable(delivery)?.flatten());
        }
        if some {
            return Ok(Some(open));
        }
    }
    Ok(None)
}
