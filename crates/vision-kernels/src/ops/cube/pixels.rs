//! Images from bytes.

use burn::tensor::{DType, Device, Tensor};
use burn_cubecl::Cube;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::{empty, plain, primitive};

/// See [`ops::images_of_bytes`](crate::ops::images_of_bytes).
pub(in crate::ops) fn images_of_bytes(
    bytes: &[u8],
    shape: [usize; 4],
    stats: [[f32; 3]; 2],
    device: &Device,
) -> Option<Tensor<4>> {
    // Places in a tensor are numbers of 32 bits.
    u32::try_from(bytes.len()).ok().filter(|len| *len > 0)?;
    let plane = u32::try_from(shape[2] * shape[3]).ok()?;
    let inner = device.clone().inner();
    // Says which client the device has.
    let probe = plain(Tensor::<1>::empty([1], &inner))?;
    let images = empty(&probe, shape, DType::F32);
    // The first byte of a word is in its lowest bits: GPUs, as all processors that drive them, are little-endian.
    let mut words = bytes.to_vec();
    words.resize(bytes.len().next_multiple_of(4), 0);
    let words = upload(&probe, DType::U32, &words);
    let stats: Vec<u8> = stats
        .as_flattened()
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let stats = upload(&probe, DType::F32, &stats);
    let len = words.meta.num_elements();
    let dim = CubeDim::new(&probe.client, len);
    unpack::launch(
        &probe.client,
        calculate_cube_count_elemwise(&probe.client, len, dim),
        dim,
        words.into_buffer_arg(),
        stats.into_buffer_arg(),
        images.clone().into_buffer_arg(),
        plane,
    );
    let images = Tensor::from_primitive::<Cube>(primitive(images));
    Some(match device.is_autodiff() {
        true => Tensor::from_inner(images),
        false => images,
    })
}

/// Values of 32 bits on the device of another tensor.
fn upload(like: &CubeTensor, dtype: DType, bytes: &[u8]) -> CubeTensor {
    let handle = like.client.create_from_slice(bytes);
    let (client, device) = (like.client.clone(), like.device.clone());
    CubeTensor::new_contiguous(client, device, [bytes.len() / 4].into(), handle, dtype)
}

/// A unit for each word. `stats` has three means and three deviations.
#[cube(launch)]
fn unpack(words: &[u32], stats: &[f32], images: &mut [f32], plane: u32) {
    let word = ABSOLUTE_POS;
    if word < words.len() {
        let bytes = words[word];
        for place in 0..4u32 {
            let i = word as u32 * 4 + place;
            if (i as usize) < images.len() {
                let channel = ((i / plane) % 3) as usize;
                let unit = f32::cast_from((bytes >> (place * 8)) & 0xFFu32) / 255.0f32;
                images[i as usize] = (unit - stats[channel]) / stats[channel + 3];
            }
        }
    }
}
