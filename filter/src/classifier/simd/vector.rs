//! Vectors of 32-bit lanes: eight of AVX2, sixteen of AVX-512.

use core::arch::x86_64::*;

use crate::classifier::map::FAN;

/// One vector of 32-bit lanes.
///
/// # Safety
///
/// The methods may only be called where the processor has the implementer's instructions.
pub(super) trait Vector: Copy {
    const LANES: usize;
    /// Some of the lanes.
    type Lanes: Copy;
    unsafe fn load(from: &[u32]) -> Self;
    unsafe fn store(self, to: &mut [u32]);
    unsafe fn splat(n: u32) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn and(self, other: Self) -> Self;
    unsafe fn or(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// `other` without the bits of `self`.
    unsafe fn and_not(self, other: Self) -> Self;
    /// All bits of the lanes where `self` is above `other`.
    unsafe fn above(self, other: Self) -> Self;
    unsafe fn xor(self, other: Self) -> Self;
    /// Which lanes are zero.
    unsafe fn zero(self) -> Self::Lanes;
    /// Those of `lanes` where `self` is not above `other`, both numbers with a sign.
    unsafe fn up_to(self, other: Self, lanes: Self::Lanes) -> Self::Lanes;
    unsafe fn both(one: Self::Lanes, other: Self::Lanes) -> Self::Lanes;
    /// One bit for each lane.
    unsafe fn bits(lanes: Self::Lanes) -> u32;
    /// The lower of both in these lanes, elsewhere `other`.
    unsafe fn min_where(self, lanes: Self::Lanes, other: Self) -> Self;
    /// Whether any bit is set.
    unsafe fn any(self) -> bool;
    /// How many keys of the node but the first are not above `high`.
    unsafe fn rank(node: &[u64; FAN], high: u64) -> u32;
    /// Shifts by the same number of bits in all lanes.
    unsafe fn left(self, bits: u32) -> Self;
    unsafe fn right(self, bits: u32) -> Self;
    /// Reads four bytes at `base + SCALE * self` in each lane.
    ///
    /// # Safety
    ///
    /// All of them must be inside one allocation.
    unsafe fn gather<const SCALE: i32>(self, base: *const u8) -> Self;
    /// Reads eight bytes at `base + 8 * self` in each lane: the lower halves and the upper ones.
    ///
    /// # Safety
    ///
    /// As for `gather`.
    unsafe fn gather_pairs(self, base: *const u8) -> [Self; 2];
    /// The same as `gather`, masked with `keep`, only in lanes where `entry` is even; the others keep `entry`.
    ///
    /// # Safety
    ///
    /// As for `gather`, all lanes.
    unsafe fn gather_even<const SCALE: i32>(self, base: *const u8, entry: Self, keep: Self)
    -> Self;
}

impl Vector for __m512i {
    const LANES: usize = 16;
    type Lanes = __mmask16;
    #[inline(always)]
    unsafe fn load(from: &[u32]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        // SAFETY: the callers hand whole chunks of `LANES` numbers.
        unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [u32]) {
        debug_assert!(to.len() >= Self::LANES);
        // SAFETY: the callers hand whole chunks of `LANES` numbers.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), self) }
    }
    #[inline(always)]
    unsafe fn splat(n: u32) -> Self {
        // SAFETY: the processor has the instructions (trait).
        unsafe { _mm512_set1_epi32(n.cast_signed()) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_add_epi32(self, other) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_mullo_epi32(self, other) }
    }
    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_and_si512(self, other) }
    }
    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_or_si512(self, other) }
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_min_epu32(self, other) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_sub_epi32(self, other) }
    }
    #[inline(always)]
    unsafe fn and_not(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_andnot_si512(self, other) }
    }
    #[inline(always)]
    unsafe fn above(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_maskz_set1_epi32(_mm512_cmpgt_epu32_mask(self, other), -1) }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_xor_si512(self, other) }
    }
    #[inline(always)]
    unsafe fn zero(self) -> Self::Lanes {
        // SAFETY: as above.
        unsafe { _mm512_testn_epi32_mask(self, self) }
    }
    #[inline(always)]
    unsafe fn up_to(self, other: Self, lanes: Self::Lanes) -> Self::Lanes {
        // SAFETY: as above.
        unsafe { _mm512_mask_cmple_epi32_mask(lanes, self, other) }
    }
    #[inline(always)]
    unsafe fn both(one: Self::Lanes, other: Self::Lanes) -> Self::Lanes {
        one & other
    }
    #[inline(always)]
    unsafe fn bits(lanes: Self::Lanes) -> u32 {
        lanes.into()
    }
    #[inline(always)]
    unsafe fn min_where(self, lanes: Self::Lanes, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_mask_min_epu32(other, lanes, self, other) }
    }
    #[inline(always)]
    unsafe fn any(self) -> bool {
        // SAFETY: as above.
        unsafe { _mm512_test_epi32_mask(self, self) != 0 }
    }
    #[inline(always)]
    unsafe fn rank(node: &[u64; FAN], high: u64) -> u32 {
        // SAFETY: as above; a node has 64 bytes.
        unsafe {
            let keys = _mm512_loadu_si512(node.as_ptr().cast());
            let within = _mm512_cmple_epu64_mask(keys, _mm512_set1_epi64(high.cast_signed()));
            (within >> 1).count_ones()
        }
    }
    #[inline(always)]
    unsafe fn left(self, bits: u32) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_sllv_epi32(self, Self::splat(bits)) }
    }
    #[inline(always)]
    unsafe fn right(self, bits: u32) -> Self {
        // SAFETY: as above.
        unsafe { _mm512_srlv_epi32(self, Self::splat(bits)) }
    }
    #[inline(always)]
    unsafe fn gather<const SCALE: i32>(self, base: *const u8) -> Self {
        // SAFETY: as above, and the caller's promise about the places.
        unsafe { _mm512_i32gather_epi32::<SCALE>(self, base.cast()) }
    }
    #[inline(always)]
    unsafe fn gather_pairs(self, base: *const u8) -> [Self; 2] {
        // SAFETY: as above, and the caller's promise about the places.
        unsafe {
            // Half as many loads as for each half of the pairs on its own.
            let (one, two) = (
                _mm512_castsi512_si256(self),
                _mm512_extracti64x4_epi64::<1>(self),
            );
            let one = _mm512_i32gather_epi64::<8>(one, base.cast());
            let two = _mm512_i32gather_epi64::<8>(two, base.cast());
            let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
            let odd = _mm512_or_si512(even, Self::splat(1));
            [
                _mm512_permutex2var_epi32(one, even, two),
                _mm512_permutex2var_epi32(one, odd, two),
            ]
        }
    }
    #[inline(always)]
    unsafe fn gather_even<const SCALE: i32>(
        self,
        base: *const u8,
        entry: Self,
        keep: Self,
    ) -> Self {
        // SAFETY: as above, and the caller's promise about the places.
        unsafe {
            let even = _mm512_testn_epi32_mask(entry, Self::splat(1));
            let got = _mm512_mask_i32gather_epi32::<SCALE>(entry, even, self, base.cast());
            _mm512_mask_and_epi32(entry, even, got, keep)
        }
    }
}

impl Vector for __m256i {
    const LANES: usize = 8;
    type Lanes = __m256i;
    #[inline(always)]
    unsafe fn load(from: &[u32]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        // SAFETY: the callers hand whole chunks of `LANES` numbers.
        unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [u32]) {
        debug_assert!(to.len() >= Self::LANES);
        // SAFETY: the callers hand whole chunks of `LANES` numbers.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), self) }
    }
    #[inline(always)]
    unsafe fn splat(n: u32) -> Self {
        // SAFETY: the processor has the instructions (trait).
        unsafe { _mm256_set1_epi32(n.cast_signed()) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_add_epi32(self, other) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_mullo_epi32(self, other) }
    }
    #[inline(always)]
    unsafe fn and(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_and_si256(self, other) }
    }
    #[inline(always)]
    unsafe fn or(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_or_si256(self, other) }
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_min_epu32(self, other) }
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_sub_epi32(self, other) }
    }
    #[inline(always)]
    unsafe fn and_not(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_andnot_si256(self, other) }
    }
    #[inline(always)]
    unsafe fn above(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            {
                let not_above = _mm256_cmpeq_epi32(_mm256_min_epu32(self, other), self);
                _mm256_andnot_si256(not_above, Self::splat(u32::MAX))
            }
        }
    }
    #[inline(always)]
    unsafe fn xor(self, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_xor_si256(self, other) }
    }
    #[inline(always)]
    unsafe fn zero(self) -> Self::Lanes {
        // SAFETY: as above.
        unsafe { _mm256_cmpeq_epi32(self, Self::splat(0)) }
    }
    #[inline(always)]
    unsafe fn up_to(self, other: Self, lanes: Self::Lanes) -> Self::Lanes {
        // SAFETY: as above.
        unsafe { _mm256_andnot_si256(_mm256_cmpgt_epi32(self, other), lanes) }
    }
    #[inline(always)]
    unsafe fn both(one: Self::Lanes, other: Self::Lanes) -> Self::Lanes {
        // SAFETY: as above.
        unsafe { _mm256_and_si256(one, other) }
    }
    #[inline(always)]
    unsafe fn bits(lanes: Self::Lanes) -> u32 {
        // SAFETY: as above.
        unsafe { _mm256_movemask_ps(_mm256_castsi256_ps(lanes)).cast_unsigned() }
    }
    #[inline(always)]
    unsafe fn min_where(self, lanes: Self::Lanes, other: Self) -> Self {
        // SAFETY: as above.
        unsafe { other.min(_mm256_blendv_epi8(Self::splat(u32::MAX), self, lanes)) }
    }
    #[inline(always)]
    unsafe fn any(self) -> bool {
        // SAFETY: as above.
        unsafe { _mm256_testz_si256(self, self) == 0 }
    }
    #[inline(always)]
    unsafe fn rank(node: &[u64; FAN], high: u64) -> u32 {
        // SAFETY: as above; a node has 64 bytes.
        unsafe {
            // Only signed comparison exists.
            let sign = _mm256_set1_epi64x(i64::MIN);
            let high = _mm256_xor_si256(_mm256_set1_epi64x(high.cast_signed()), sign);
            let above = |half: &[u64]| {
                let keys = _mm256_loadu_si256(half.as_ptr().cast());
                let above = _mm256_cmpgt_epi64(_mm256_xor_si256(keys, sign), high);
                _mm256_movemask_pd(_mm256_castsi256_pd(above)).cast_unsigned()
            };
            let (first, second) = node.split_at(FAN / 2);
            (!(above(first) | above(second) << 4) & 0xfe).count_ones()
        }
    }
    #[inline(always)]
    unsafe fn left(self, bits: u32) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_sllv_epi32(self, Self::splat(bits)) }
    }
    #[inline(always)]
    unsafe fn right(self, bits: u32) -> Self {
        // SAFETY: as above.
        unsafe { _mm256_srlv_epi32(self, Self::splat(bits)) }
    }
    #[inline(always)]
    unsafe fn gather<const SCALE: i32>(self, base: *const u8) -> Self {
        // SAFETY: as above, and the caller's promise about the places.
        unsafe { _mm256_i32gather_epi32::<SCALE>(base.cast(), self) }
    }
    #[inline(always)]
    unsafe fn gather_pairs(self, base: *const u8) -> [Self; 2] {
        // SAFETY: as above, and the caller's promise about the places.
        unsafe {
            let (one, two) = (
                _mm256_castsi256_si128(self),
                _mm256_extracti128_si256::<1>(self),
            );
            let one = _mm256_castsi256_ps(_mm256_i32gather_epi64::<8>(base.cast(), one));
            let two = _mm256_castsi256_ps(_mm256_i32gather_epi64::<8>(base.cast(), two));
            // Lanes 0, 1, 4, 5 and 2, 3, 6, 7 of the eight: put into order behind.
            let even = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(one, two));
            let odd = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(one, two));
            [
                _mm256_permute4x64_epi64::<0b11_01_10_00>(even),
                _mm256_permute4x64_epi64::<0b11_01_10_00>(odd),
            ]
        }
    }
    #[inline(always)]
    unsafe fn gather_even<const SCALE: i32>(
        self,
        base: *const u8,
        entry: Self,
        keep: Self,
    ) -> Self {
        // SAFETY: as above, and the caller's promise about the places.
        unsafe {
            let one = Self::splat(1);
            let even = _mm256_sub_epi32(_mm256_and_si256(entry, one), one);
            let got = _mm256_mask_i32gather_epi32::<SCALE>(entry, base.cast(), self, even);
            _mm256_blendv_epi8(entry, _mm256_and_si256(got, keep), even)
        }
    }
}
