//! The end of an execution that was told of a store: the recovered pairs go there.

use std::sync::Arc;

use super::{closing::tokens_of_run, screen::Screen};
use crate::store::{
    choice::Chosen,
    deliver::{Delivery, OtherTable},
    fault::StoreFault,
    list_tokens::ListTokens,
    open::{Patience, open_for},
    runs::Runs,
};

/// Writes the pairs of a run that is held, and says what stopped it. The pairs are durable in the run
/// folder whatever happens here.
pub async fn store_pairs(
    runs: &mut Runs,
    chosen: &Chosen,
    patience: Patience,
    screen: &dyn Screen,
) -> Result<(), StoreFault> {
    let pairs = runs.pairs()?;
    if pairs.is_empty() {
        return Ok(());
    }
    screen.print("Writing the pairs into the store.");
    let client_ids = runs.as_slice().iter().flat_map(|run| run.run_state().client_ids());
    let opened = open_for(chosen, &pairs, client_ids).await?;
    let began = opened.began();
    let before = runs.as_slice().iter().rev().find_map(|run| run.run_state().store_began());
    let others = OtherTable::of(before, &began);
    let stop = patience.stop.clone();
    let mut store = opened.begin(patience).await?;
    for run in runs.as_mut_slice() {
        run.add_durably([began.clone()])?;
    }
    let lists = runs.as_slice().iter().filter_map(|run| tokens_of_run(&run.run_state().started));
    let list = Arc::new(ListTokens::of(lists));
    let delivery = Delivery { note: &|line| screen.print(line), stop, list, others };
    let delivered = delivery.write(&mut store, runs, &pairs).await;
    let ended = store.end().await;
    delivered.and(ended)
}
