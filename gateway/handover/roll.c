#include "gateway/handover/roll.h"

#include "gateway/handover/channel.h"

#include <limits.h>

static Bytes cut_word(Bytes *rest)
{
    size_t end = bytes_find(*rest, ' ');
    Bytes word = bytes_slice(*rest, 0, end);
    *rest = bytes_slice(*rest, end + 1, SIZE_MAX);
    return word;
}

bool roll_next(Bytes *rest, RollLine *line_out)
{
    while (rest->size) {
        size_t end = bytes_find(*rest, '\n');
        Bytes line = bytes_slice(*rest, 0, end);
        *rest = bytes_slice(*rest, end + 1, SIZE_MAX);
        Bytes word = cut_word(&line), number = cut_word(&line);
        uint64_t fd = 0;
        bool has_number = bytes_to_u64(number, &fd);
        if (!word.size || (number.size && (!has_number || fd > INT_MAX)))
            continue;
        *line_out = (RollLine){word, number.size ? (int)fd : -1, line};
        return true;
    }
    return false;
}

bool roll_name(Bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < 0x20 || name.data[i] == 0x7f)
            return false;
    return name.size > 0 && name.size < CHANNEL_NAME;
}
