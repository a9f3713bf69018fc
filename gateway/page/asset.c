#include "gateway/page/asset.h"

#include <stdlib.h>

static int compare(const void *path, const void *asset)
{
    return bytes_compare(*(const Bytes *)path, bytes_of(((const Asset *)asset)->path));
}

const Asset *asset_find(Bytes path)
{
    if (bytes_are(path, "/"))
        path = bytes_of("/page/index.html");
    return bsearch(&path, assets, n_assets, sizeof *assets, compare);
}

static bool is_tag_of(const Asset *asset, Bytes tag)
{
    if (bytes_start_with(tag, "W/"))
        tag = bytes_slice(tag, 2, SIZE_MAX);
    return bytes_are(tag, asset->tag + strlen("W/")) || bytes_are(tag, "*");
}

/* No tag of ours has a comma. */
bool asset_is_known(const Asset *asset, Bytes if_none_match)
{
    for (Bytes tag; bytes_split(&if_none_match, ',', &tag);)
        if (is_tag_of(asset, bytes_trim(tag)))
            return true;
    return false;
}
