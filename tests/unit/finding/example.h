/*
 * example.h - one world for all tests of a file: the example site.
 */
#ifndef TESTS_FINDING_EXAMPLE_H
#define TESTS_FINDING_EXAMPLE_H

#include "world.h"

static struct world world;

static int open_example(void **state)
{
	(void)state;
	world_open(&world, NULL);
	return 0;
}

static int close_example(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

#endif
