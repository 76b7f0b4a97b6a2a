// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import io.flinkmoe.routing.TopK;
import org.apache.flink.annotation.Internal;

/**
 * The k largest of n values in the order of {@code torch.topk} of PyTorch's CPU kernel, which does
 * not order equal values by index. The kernel calls nth_element for the k-th and then sort for
 * those before it. This class follows introselect and introsort of libstdc++. Where those fall back
 * to heaps (k * 64 ≤ n, or pivots so bad that partitioning is given up), equal values come by the
 * lowest index or as they lie. Only for published algorithms whose result depends on that order;
 * routers use {@link TopK}. No NaN.
 */
@Internal
final class TorchTopK {

    private static final int SMALL_SELECT = 3;
    private static final int SMALL_SORT = 16;

    private final float[] values;
    private final int[] order;

    private TorchTopK(float[] values, int from, int n) {
        this.values = new float[n];
        System.arraycopy(values, from, this.values, 0, n);
        this.order = new int[n];
        for (int i = 0; i < n; i++) {
            order[i] = i;
        }
    }

    /**
     * The places of the k largest of the n values that begin at {@code from}, 1 ≤ k ≤ n.
     *
     * @return [k], relative to {@code from}, by descending value
     */
    static int[] indices(float[] values, int from, int n, int k) {
        int[] indices = new int[k];
        if (k * 64L <= n) {
            new TopK(n, k, null).select(values, from, 1, indices, 0);
            return indices;
        }
        TorchTopK topK = new TorchTopK(values, from, n);
        topK.select(k - 1);
        topK.sort(0, k - 1, depthLimit(k - 1));
        topK.insertionSort(0, k - 1);
        System.arraycopy(topK.order, 0, indices, 0, k);
        return indices;
    }

    /** Introselect: the nth largest goes to its place, larger ones before it. */
    private void select(int nth) {
        int first = 0;
        int last = order.length;
        for (int depth = depthLimit(last); last - first > SMALL_SELECT && depth > 0; depth--) {
            int cut = partition(first, last);
            if (cut <= nth) {
                first = cut;
            } else {
                last = cut;
            }
        }
        insertionSort(first, last);
    }

    /** Introsort, but for the insertion sort that it ends with. */
    private void sort(int first, int end, int depth) {
        int last = end;
        for (int left = depth; last - first > SMALL_SORT && left > 0; left--) {
            int cut = partition(first, last);
            sort(cut, last, left - 1);
            last = cut;
        }
    }

    /** Partitions around the median of the second, the middle and the last, put first. */
    private int partition(int first, int last) {
        swap(first, median(first + 1, first + (last - first) / 2, last - 1));
        int pivot = order[first];
        int low = first + 1;
        int high = last;
        while (true) {
            while (before(order[low], pivot)) {
                low++;
            }
            high--;
            while (before(pivot, order[high])) {
                high--;
            }
            if (low >= high) {
                return low;
            }
            swap(low, high);
            low++;
        }
    }

    private int median(int a, int b, int c) {
        if (before(order[a], order[b])) {
            if (before(order[b], order[c])) {
                return b;
            }
            return before(order[a], order[c]) ? c : a;
        }
        if (before(order[a], order[c])) {
            return a;
        }
        return before(order[b], order[c]) ? c : b;
    }

    private void insertionSort(int first, int last) {
        for (int i = first + 1; i < last; i++) {
            int moved = order[i];
            int at = i;
            while (at > first && before(moved, order[at - 1])) {
                order[at] = order[at - 1];
                at--;
            }
            order[at] = moved;
        }
    }

    private boolean before(int a, int b) {
        return values[a] > values[b];
    }

    private void swap(int a, int b) {
        int held = order[a];
        order[a] = order[b];
        order[b] = held;
    }

    /** Twice the binary logarithm, as libstdc++ has it. */
    private static int depthLimit(int n) {
        return n < 1 ? 0 : 2 * (31 - Integer.numberOfLeadingZeros(n));
    }
}
