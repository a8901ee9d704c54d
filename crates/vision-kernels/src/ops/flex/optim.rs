//! Adam.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{Place, common, from_plain, place};
use crate::Isa;
use crate::adam::Adam;
use crate::profile::{Cost, timed};

/// One step, in place if no other tensor shares the values.
pub(in crate::ops) fn adam(
    rule: &Adam,
    value: &mut Tensor<1>,
    grad: &Tensor<1>,
    moments: [&mut Tensor<1>; 2],
) -> Option<()> {
    let [m, v] = moments;
    if common([place(value), place(grad), place(m), place(v)])? != Place::Plain {
        return None;
    }
    let grad = super::plain(grad.clone())?;
    let [mut p, mut first, mut second] = [value, m, v].map(|slot| {
        // Taken out, so that the buffer has one owner and is changed in place.
        let taken = std::mem::replace(slot, Tensor::empty([0], &slot.device()));
        (slot, taken.try_into_primitive::<Flex>().ok())
    });
    let result = match (&mut p.1, &mut first.1, &mut second.1) {
        (Some(p), Some(m), Some(v)) => {
            let (p, g, m, v) = (own(p), grad.slice(), own(m), own(v));
            let cost = || Cost {
                shape: format!("{}", g.len()),
                flops: 0.0,
                values: 7 * g.len(),
            };
            timed("Adam", cost, || rule.step(Isa::detect(), p, g, m, v))
        }
        _ => return None,
    };
    super::checked(result);
    for (slot, tensor) in [p, first, second] {
        *slot = from_plain(tensor?);
    }
    Some(())
}

/// The values, copied if another tensor shares them or if they are not in row-major order.
fn own(tensor: &mut FlexTensor) -> &mut [f32] {
    let len = tensor.layout().num_elements();
    if !tensor.is_contiguous() || tensor.layout().start_offset() != 0 {
        *tensor = tensor.to_contiguous();
    }
    tensor
        .storage_mut::<f32>()
        .get_mut(..len)
        .unwrap_or_default()
}
