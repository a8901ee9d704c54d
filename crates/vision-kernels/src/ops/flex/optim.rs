//! Adam, and averages of weights.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;

use super::{Place, common, from_plain, place};
use crate::Isa;
use crate::adam::Adam;
use crate::average;
use crate::profile::{Cost, timed};

/// One step, in place if no other tensor shares the values.
#[expect(clippy::expect_used, reason = "`place` was asked first")]
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
        let tensor = taken.try_into_primitive::<Flex>();
        (slot, tensor.expect("a tensor of the Flex backend"))
    });
    let (values, g) = (own(&mut p.1), grad.slice());
    let (m, v) = (own(&mut first.1), own(&mut second.1));
    let cost = || Cost {
        shape: format!("{}", g.len()),
        flops: 0.0,
        values: 7 * g.len(),
    };
    let step = || rule.step(Isa::detect(), values, g, m, v);
    super::checked(timed("Adam", cost, step));
    for (slot, tensor) in [p, first, second] {
        *slot = from_plain(tensor);
    }
    Some(())
}

/// Moves the average, in place if no other tensor shares it.
#[expect(clippy::expect_used, reason = "`place` was asked first")]
pub(in crate::ops) fn move_to(average: &mut Tensor<1>, value: &Tensor<1>, part: f64) -> Option<()> {
    if common([place(average), place(value)])? != Place::Plain {
        return None;
    }
    let value = super::plain(value.clone())?;
    // Taken out, so that the buffer has one owner and is changed in place.
    let taken = std::mem::replace(average, Tensor::empty([0], &average.device()));
    let tensor = taken.try_into_primitive::<Flex>();
    let mut tensor = tensor.expect("a tensor of the Flex backend");
    let (means, values) = (own(&mut tensor), value.slice());
    let cost = || Cost {
        shape: format!("{}", values.len()),
        flops: 0.0,
        values: 3 * values.len(),
    };
    let step = || average::move_to(Isa::detect(), means, values, part);
    super::checked(timed("average", cost, step));
    *average = from_plain(tensor);
    Some(())
}

/// The values, copied if another tensor shares them or if they are not in row-major order.
fn own(tensor: &mut FlexTensor) -> &mut [f32] {
    let len = tensor.layout().num_elements();
    if !tensor.is_contiguous() || tensor.layout().start_offset() != 0 {
        *tensor = tensor.to_contiguous();
    }
    &mut tensor.storage_mut::<f32>()[..len]
}
