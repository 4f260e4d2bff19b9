/* attention.glsl: shared by the attention kernels: parameters, the rows of a tile, the mask. The
 * includer has ROWS, GROUP and the buffer slopes. */
layout(push_constant) uniform Push
{
    uint kv_heads;
    uint context;
    uint chunk;     /* keys a chunk, a multiple of the keys of a block */
    uint chunk_max; /* stride of partials */
    uint window;    /* 0 = all */
    uint prefix_mask;
    uint alibi;
    float scale;
    float cap;
};

const float NONE = -3.0e38; /* a masked score */

/* Row r of this tile: its token (a row past the end repeats the last token) and head. */
uint row_token(uint r)
{
    return min((gl_WorkGroupID.x * ROWS + r) / GROUP, run.count - 1);
}

uint row_head(uint r)
{
    return gl_WorkGroupID.y * GROUP + (gl_WorkGroupID.x * ROWS + r) % GROUP;
}

bool row_valid(uint r)
{
    return (gl_WorkGroupID.x * ROWS + r) / GROUP < run.count;
}

bool visible(uint key, uint position)
{
    if (prefix_mask != 0 && key < run.prefix)
        return true;
    return key <= position && (window == 0 || position - key < window);
}

/* The score from scale * q K^T. */
float adjusted(float s, uint key, uint r)
{
    if (cap > 0.0)
        s = cap * tanh(s / cap);
    const uint position = run.position + row_token(r);
    if (alibi != 0)
        s += slopes[row_head(r)] * (float(key) - float(position));
    return visible(key, position) ? s : NONE;
}

/* Keys first .. end of this chunk that some row of the tile sees; first is a multiple of `keys`. */
void key_range(uint keys, out uint first, out uint end)
{
    const uint low = run.position + row_token(0), high = run.position + row_token(ROWS - 1);
    end = high + 1;
    if (prefix_mask != 0)
        end = max(end, run.prefix);
    end = min(min(end, run.kv_count), (gl_WorkGroupID.z + 1) * chunk);
    first = gl_WorkGroupID.z * chunk;
    if (window != 0 && prefix_mask == 0 && low + 1 > window)
        first = max(first, (low + 1 - window) / keys * keys);
}
