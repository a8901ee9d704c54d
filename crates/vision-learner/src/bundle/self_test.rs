use std::fmt;

use serde::Serialize;
use vision_base::message::{named, shown};
use vision_data::device;

use crate::bundle::machine;
use crate::metrics::argmax;
use crate::predict::predictor::Predictor;

/// Largest difference of an output on another machine, relative to the output if that is above 1.
const TOLERANCE: f32 = 1e-4;

/// The result of [`Predictor::self_test`]. `Display` says it in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SelfTest {
    /// The golden inputs, in order.
    pub inputs: Vec<SelfTestInput>,
    /// Largest difference of an output that passes, relative to the output if that is above 1: 0 where the
    /// same bits are expected, otherwise 1e-4.
    pub tolerance: f32,
    /// Where the file was exported.
    pub exported: String,
    /// Where this test ran.
    pub here: String,
}

/// One golden input of a [`SelfTest`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SelfTestInput {
    /// Its name.
    pub name: String,
    /// Largest absolute difference of an output; `None` if it could not be predicted.
    pub difference: Option<f32>,
    /// Whether the most probable class is the same.
    pub class_agrees: bool,
    /// Whether the outputs agree within the tolerance.
    pub passed: bool,
    /// Why it could not be predicted.
    pub error: Option<String>,
}

impl Predictor {
    /// Replays the golden inputs of the file, from their encoded bytes to the outputs, and compares with the
    /// outputs at export.
    ///
    /// On the CPU with the version, system and instruction set of the export, the same bits are expected. On
    /// other machines and devices, outputs may differ by 1e-4. Run it when a server starts, and after a
    /// change of machine or version.
    ///
    /// ```no_run
    /// # fn main() -> vision_learner::Result<()> {
    /// let predictor = vision_learner::Predictor::open("pets.safetensors")?;
    /// let test = predictor.self_test();
    /// assert!(test.passed(), "{test}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn self_test(&self) -> SelfTest {
        let here = machine::describe(&self.0.device);
        let Some((card, golden)) = &self.0.file else {
            return SelfTest {
                inputs: Vec::new(),
                tolerance: 0.0,
                exported: "not exported".to_owned(),
                here,
            };
        };
        let exact = device::is_cpu(&self.0.device) && card.machine == here;
        let tolerance = if exact { 0.0 } else { TOLERANCE };
        let inputs = golden.iter().map(|golden| {
            let name = golden.name.clone();
            let found = match self.predict_bytes(&golden.bytes) {
                Ok(prediction) => prediction.probabilities,
                Err(error) => {
                    return SelfTestInput {
                        name,
                        difference: None,
                        class_agrees: false,
                        passed: false,
                        error: Some(error.to_string()),
                    };
                }
            };
            let pairs = || found.iter().zip(&golden.outputs);
            let difference = pairs().fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
            let within = pairs().all(|(a, b)| (a - b).abs() <= tolerance * b.abs().max(1.0));
            let class_agrees = argmax(&found) == argmax(&golden.outputs);
            SelfTestInput {
                name,
                difference: Some(difference),
                class_agrees,
                passed: within && found.len() == golden.outputs.len(),
                error: None,
            }
        });
        SelfTest {
            inputs: inputs.collect(),
            tolerance,
            exported: card.machine.clone(),
            here,
        }
    }
}

impl SelfTest {
    /// Whether there are golden inputs, and all of them agree within the tolerance.
    pub fn passed(&self) -> bool {
        !self.inputs.is_empty() && self.inputs.iter().all(|input| input.passed)
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.inputs.is_empty() {
            return f.write_str(
                "no self test: there are no golden inputs; open a file that Learner::export wrote",
            );
        }
        let passed = self.inputs.iter().filter(|input| input.passed).count();
        let verdict = if self.passed() { "passed" } else { "failed" };
        let tolerance = match self.tolerance {
            0.0 => "the same bits are expected, as on the machine of the export".to_owned(),
            tolerance => format!(
                "outputs may differ by {tolerance:e}: exported by {}, and this is {}",
                shown(&self.exported),
                shown(&self.here)
            ),
        };
        write!(
            f,
            "self test {verdict}: {passed} of {} golden inputs agree; {tolerance}",
            self.inputs.len()
        )?;
        for input in &self.inputs {
            let name = named(&input.name);
            let result = match (&input.error, input.difference) {
                (Some(error), _) => format!("cannot be predicted: {error}"),
                (None, difference) => format!(
                    "largest difference {:e}, {}{}",
                    difference.unwrap_or(f32::NAN),
                    if input.class_agrees {
                        "same class"
                    } else {
                        "another class"
                    },
                    if input.passed { "" } else { ": failed" }
                ),
            };
            write!(f, "\n  {name}: {result}")?;
        }
        Ok(())
    }
}
