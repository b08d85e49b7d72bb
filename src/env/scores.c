/* SPDX-License-Identifier: Apache-2.0 */
/* Scores of people and of random play in 57 Atari games: Table 10 of the ReLIC paper (arXiv 2010.07922), which has them
 * of Wang et al. (2016) and others before; tests/env/atari_table10.csv is all of it. */
#include "invar/expert/env.h"

#include <ctype.h>
#include <string.h>

static const struct invar_env_score scores[] = {{"alien", 227.80, 7127.70},
                                                {"amidar", 5.80, 1719.50},
                                                {"assault", 222.40, 742.00},
                                                {"asterix", 210.00, 8503.30},
                                                {"asteroids", 719.10, 47388.70},
                                                {"atlantis", 12850.00, 29028.10},
                                                {"bank_heist", 14.20, 753.10},
                                                {"battle_zone", 2360.00, 37187.50},
                                                {"beam_rider", 363.90, 16926.50},
                                                {"berzerk", 123.70, 2630.40},
                                                {"bowling", 23.10, 160.70},
                                                {"boxing", 0.10, 12.10},
                                                {"breakout", 1.70, 30.50},
                                                {"centipede", 2090.90, 12017.00},
                                                {"chopper_command", 811.00, 7387.80},
                                                {"crazy_climber", 10780.50, 35829.40},
                                                {"defender", 2874.50, 18688.90},
                                                {"demon_attack", 152.10, 1971.00},
                                                {"double_dunk", -18.60, -16.40},
                                                {"enduro", 0.00, 860.50},
                                                {"fishing_derby", -91.70, -38.70},
                                                {"freeway", 0.00, 29.60},
                                                {"frostbite", 65.20, 4334.70},
                                                {"gopher", 257.60, 2412.50},
                                                {"gravitar", 173.00, 3351.40},
                                                {"hero", 1027.00, 30826.40},
                                                {"ice_hockey", -11.20, 0.90},
                                                {"jamesbond", 29.00, 302.80},
                                                {"kangaroo", 52.00, 3035.00},
                                                {"krull", 1598.00, 2665.50},
                                                {"kung_fu_master", 258.50, 22736.30},
                                                {"montezuma_revenge", 0.00, 4753.30},
                                                {"ms_pacman", 307.30, 6951.60},
                                                {"name_this_game", 2292.30, 8049.00},
                                                {"phoenix", 761.40, 7242.60},
                                                {"pitfall", -229.40, 6463.70},
                                                {"pong", -20.70, 14.60},
                                                {"private_eye", 24.90, 69571.30},
                                                {"qbert", 163.90, 13455.00},
                                                {"riverraid", 1338.50, 17118.00},
                                                {"road_runner", 11.50, 7845.00},
                                                {"robotank", 2.20, 11.90},
                                                {"seaquest", 68.40, 42054.70},
                                                {"skiing", -17098.10, -4336.90},
                                                {"solaris", 1236.30, 12326.70},
                                                {"space_invaders", 148.00, 1668.70},
                                                {"star_gunner", 664.00, 10250.00},
                                                {"surround", -10.00, 6.50},
                                                {"tennis", -23.80, -8.30},
                                                {"time_pilot", 3568.00, 5229.20},
                                                {"tutankham", 11.40, 167.60},
                                                {"up_n_down", 533.40, 11693.20},
                                                {"venture", 0.00, 1187.50},
                                                {"video_pinball", 0.00, 17667.90},
                                                {"wizard_of_wor", 563.50, 4756.50},
                                                {"yars_revenge", 3092.90, 54576.90},
                                                {"zaxxon", 32.50, 9173.30},
                                                {0}};

const struct invar_env_score *invar_env_scores(void)
{
    return scores;
}

/* "ALE/MsPacman-v5", "MsPacmanNoFrameskip-v4", "ms_pacman" -> "ms_pacman" */
static void game_of(const char *id, char *out, size_t size)
{
    const char *slash = strrchr(id, '/'), *colon = strrchr(id, ':');
    const char *at = slash ? slash + 1 : colon ? colon + 1 : id;
    size_t used = 0;

    for (size_t i = 0; at[i] && at[i] != '-' && strncmp(at + i, "NoFrameskip", 11) != 0 && used + 2 < size; i++) {
        if (isupper((unsigned char)at[i]) && i > 0)
            out[used++] = '_';
        out[used++] = (char)tolower((unsigned char)at[i]);
    }
    out[used] = '\0';
}

const struct invar_env_score *invar_env_score_find(const char *id)
{
    char game[64];

    game_of(id, game, sizeof game);
    for (const struct invar_env_score *score = scores; score->game; score++)
        if (strcmp(score->game, game) == 0)
            return score;
    return NULL;
}

double invar_env_score_normalise(const struct invar_env_score *score, double returned)
{
    return 100 * (returned - score->random) / (score->human - score->random);
}
