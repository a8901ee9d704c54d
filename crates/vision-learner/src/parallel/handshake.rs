//! The comparison of all processes at the beginning of a fit.

use sha2::{Digest, Sha256};
use vision_base::OptionError;
use vision_base::message::hex;
use vision_data::device;

use crate::features::file::hash_values;
use crate::learner::Learner;
use crate::parallel::ranks::Ranks;
use crate::resume::runs::Plan;
use crate::{Error, Result};

impl Learner {
    /// Compares everything that decides the course of a fit with the other processes.
    ///
    /// # Errors
    ///
    /// [`Error::RanksDiffer`] for the first difference, on all of them; [`Error::Option`] for what cannot be shared.
    pub(crate) fn shake_hands(&self, ranks: &Ranks, plan: &Plan) -> Result<()> {
        let mut fields = vec![
            (
                "the version of vision".to_owned(),
                env!("CARGO_PKG_VERSION").to_owned(),
            ),
            (
                "the number of processes".to_owned(),
                ranks.ranks().to_string(),
            ),
            (
                "batch norms".to_owned(),
                if ranks.synchronized {
                    "synchronized"
                } else {
                    "local"
                }
                .to_owned(),
            ),
        ];
        // First what other fields follow from.
        let batch_size = self.data().batch_size().to_string();
        fields.push(("batch size".to_owned(), batch_size));
        fields.extend(self.identity(plan).into_fields());
        fields.push(("resumable".to_owned(), plan.resumable.to_string()));
        fields.push(("the weights".to_owned(), self.weights_hash()));
        let own = serde_json::to_vec(&fields).unwrap_or_default();
        let all = ranks.gather(&own)?;
        let all: Vec<Vec<(String, String)>> = all
            .iter()
            .map(|bytes| serde_json::from_slice(bytes).unwrap_or_default())
            .collect();
        // The names too: another version may compare other things.
        let most = all.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..most {
            let of = |rank: &Vec<(String, String)>| rank.get(at).cloned().unwrap_or_default();
            let values: Vec<(String, String)> = all.iter().map(of).collect();
            if values.iter().any(|value| *value != values[0]) {
                return Err(Error::RanksDiffer {
                    field: values[0].0.clone(),
                    values: values.into_iter().map(|(_, value)| value).collect(),
                    hint: "let all of them run the same program with the same data and settings",
                });
            }
        }
        self.check_can_share(ranks)
    }

    /// Checks that the fit is one of which processes can have parts; the same on all of them.
    fn check_can_share(&self, ranks: &Ranks) -> Result<()> {
        let data = self.data();
        let refused = |option, expected: String, found: String| {
            Err(OptionError::new(option, expected, found).into())
        };
        if ranks.synchronized && !device::is_cpu(data.device()) {
            return refused(
                "batch norms over several processes",
                "the device \"cpu\", on which they can be synchronized; elsewhere, local ones \
                 (DataParallel::with_local_batch_norm)"
                    .to_owned(),
                device::describe(data.device()),
            );
        }
        if let Some(gpus) = ranks.connected_gpus() {
            let own = gpus.get(ranks.rank());
            let is_own = own == Some(data.device());
            // They would wait for each other for ever.
            let [elsewhere] = ranks.any([!is_own])?;
            if elsewhere {
                let expected =
                    own.map_or_else(|| "a GPU for each rank".to_owned(), device::describe);
                let found = match is_own {
                    true => "that of another rank is on another GPU than its own".to_owned(),
                    false => device::describe(data.device()),
                };
                return refused("device", expected, found);
            }
        }
        if !data.batch_transforms().is_empty() {
            return refused(
                "batch_transforms",
                "none with several processes, each of which has a part of a batch: MixUp and CutMix need all of it"
                    .to_owned(),
                format!("{:?}", data.batch_transforms()),
            );
        }
        let norms = self
            .model
            .entries()
            .iter()
            .any(|entry| entry.is_batch_norm());
        let least = 2 * ranks.ranks();
        if !ranks.synchronized && norms && data.batch_size() < least {
            let expected = format!(
                "at least {least} with local batch norms, two items for each of {} processes",
                ranks.ranks()
            );
            return refused("batch_size", expected, data.batch_size().to_string());
        }
        Ok(())
    }

    /// A hash over parameters and running statistics.
    fn weights_hash(&self) -> String {
        let mut hash = Sha256::new();
        for tensor in self.model.tensors() {
            hash_values(&mut hash, &tensor.values);
        }
        hex(&hash.finalize()[..8])
    }
}
